#include "report/page.h"

#include <string_view>

#include "ech0/error.h"
#include "embedded/page.h"

namespace ech0 {
namespace {

// What stands in the built page where the data goes (web/index.html).
constexpr std::string_view place = "\"ech0-data-goes-here\"";

/// JSON that means the same and holds nothing a browser could take for the end of the script element, or a comment.
std::string inert(std::string_view json) {
    std::string text;
    text.reserve(json.size());
    for (const char c : json) {
        switch (c) {
            case '<': text += "\\u003c"; break;
            case '>': text += "\\u003e"; break;
            case '&': text += "\\u0026"; break;
            default: text += c;
        }
    }
    return text;
}

}  // namespace

std::string page_html(const Json& data) {
    const std::string_view page = embedded::page();
    const size_t at = page.find(place);
    if (at == std::string_view::npos) throw Error("the page that is built in has no place for data");
    return std::string(page.substr(0, at)) + inert(data.dump(-1, ' ', false, Json::error_handler_t::replace)) +
           std::string(page.substr(at + place.size()));
}

}  // namespace ech0
