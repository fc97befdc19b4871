#pragma once

#include <string>
#include <vector>

#include "machine/checkup.h"
#include "report/json.h"
#include "report/look.h"

namespace ech0 {

/// This machine: what a model may use, why that much, and what is in its way.
std::string doctor_text(const Checkup& checkup, const Look& look = {});
Json doctor_json(const Checkup& checkup);  ///< "ech0.doctor/1" (docs/json.md)

/// A machine that is described, in the same form; what only a look at a machine can tell is empty.
std::string profile_text(const Machine& machine, const Look& look = {});
Json profile_json(const Machine& machine);  ///< "ech0.doctor/1" too

/// Either of them from what was written: a profile has no engine. @throws FormatError
std::string doctor_text_from_json(const Json& json, const Look& look);

/// All that are described.
std::string profiles_text(const std::vector<Machine>& machines);
Json profiles_json(const std::vector<Machine>& machines);  ///< "ech0.machines/1"

}  // namespace ech0
