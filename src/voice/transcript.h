#pragma once

#include <string>

#include "voice/listener.h"
#include "voice/recognizer.h"

namespace ech0 {

/// What a recording of any length says: cut where nobody speaks, as turns of a talk are, because recognizers take half
/// a minute at once and lose the thread in silence. @param sound  at speech_rate
std::string transcript(const Sound& sound, Listener& listener, Recognizer& recognizer);

}  // namespace ech0
