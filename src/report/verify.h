#pragma once

#include <string>
#include <vector>

#include "ech0/evidence.h"
#include "report/json.h"
#include "report/look.h"

namespace ech0 {

/// The proof as a page of text: predictions, behaviour, speed and memory, paired differences, what may be compared.
std::string verify_text(const Evidence& evidence, const Look& look = {});

/// The same as "ech0.verify/1" (docs/json.md). What was not measured is null.
Json verify_json(const Evidence& evidence);

/// Read one back; the values per token are not in it.
/// @throws FormatError if it is no ech0.verify/1 or a field is missing
Evidence evidence_from_json(const Json& json);

/// Which of these numbers may be held against which others, in plain sentences.
std::vector<std::string> comparability(const Evidence& evidence);

}  // namespace ech0
