#pragma once

#include "ech0/artifact.h"
#include "report/json.h"
#include "report/table.h"

namespace ech0 {

/// ech0.compress/1, without the evidence: that comes from verify.
Json compress_json(const Artifact& artifact);
/// What compress_json wrote. @throws FormatError
Artifact artifact_from_json(const Json& json);

/// Which types the tensors got: how many of each, how many bytes.
Table types_table(const Plan& plan);

/// The file, its types, what was tried.
std::string compress_text(const Artifact& artifact, const Look& look = {});

}  // namespace ech0
