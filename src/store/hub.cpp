// The hub's public interface, as https://huggingface.co/docs/hub/api and the libraries that use it have it
// (llama.cpp common/hf-cache.cpp, https://huggingface.co/docs/huggingface.js/hub/interfaces/ListFileEntry):
//   GET /api/models/ORG/REPO/tree/main?recursive=1   [{"type":"file", "path":…, "size":…, "lfs":{"oid": SHA-256,
//   "size":…}}]
//                                                    long lists in pages, the next one in the header "Link"
//   GET /ORG/REPO/resolve/main/PATH                  leads to the file, on another server as a rule

#include "store/hub.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/interrupt.h"
#include "base/nearest.h"
#include "base/text.h"
#include "ech0/units.h"
#include "store/huggingface.h"
#include "store/split_name.h"
#include "store/stores.h"

namespace ech0 {
namespace {

using nlohmann::json;

constexpr int most_pages = 100;
constexpr size_t largest_answer_bytes = 64 << 20;

[[noreturn]] void refuse_status(const Hub& hub, const HttpHead& head, const std::string& thing) {
    const std::string host = printable(hub.endpoint.host);
    switch (head.status) {
        case 401:
        case 403:
            throw UsageError(fmt::format(
                "{}: {} refuses it ({}): the repository is private, gated or does not exist; accept its terms on its "
                "page and set HF_TOKEN{}",
                thing, host, head.status, hub.token.empty() ? "" : " (the one that is set does not open it)"));
        case 404: throw UsageError(fmt::format("{}: {} has no such repository or file (404)", thing, host));
        case 416: throw FormatError(fmt::format("{}: {} has fewer bytes of it than it lists (416)", thing, host));
        case 429:
            throw UsageError(fmt::format(
                "{}: {} has had too many requests from here (429): try again {}", thing, host,
                head.retry_after.empty() ? "later" : fmt::format("in {} s", printable(head.retry_after, 20))));
        default:
            if (head.status >= 500 || head.status == 408)
                throw NetworkError(fmt::format("{}: {} fails ({})", thing, host, head.status));
            throw FormatError(fmt::format("{}: {} answers {}, wanted 200", thing, host, head.status));
    }
}

// A GET that follows redirects. The token goes to the hub alone: where it leads is a server of somebody else's, with an
// address that is a permit of its own.
HttpHead get(const Hub& hub, Url url, const HttpHeaders& headers, const std::string& thing, const HttpOnHead& on_head,
             const HttpOnBody& on_body) {
    for (int i = 0; i <= most_redirects; i++) {
        HttpHeaders sent = headers;
        if (!hub.token.empty() && url.origin() == hub.endpoint.origin())
            sent.emplace_back("Authorization", "Bearer " + hub.token);
        const HttpHead head = http_get(
            url, sent,
            [&](const HttpHead& first) {
                if (first.status == 200 || first.status == 206) on_head(first);
            },
            on_body);
        if (head.status == 200 || head.status == 206) return head;
        if (!is_redirect(head.status)) refuse_status(hub, head, thing);
        url = redirected(url, head, thing);
    }
    throw FormatError(
        fmt::format("{}: {} redirects in circles ({} times)", thing, printable(hub.endpoint.host), most_redirects));
}

Url below(const Hub& hub, const std::string& path) {
    Url url = hub.endpoint;
    while (url.path.ends_with('/')) url.path.pop_back();
    url.path += path;
    return url;
}

// A path that a repository lists must stay below the folder it is put in.
bool is_safe_path(const std::string& path) {
    for (size_t at = 0; at <= path.size();) {
        const size_t end = std::min(path.find('/', at), path.size());
        if (end == at || path[at] == '.') return false;
        at = end + 1;
    }
    return path.size() < 1024 && std::none_of(path.begin(), path.end(), [](unsigned char c) {
               return c < 0x20 || c == 0x7F || c == '\\' || c == ':';
           });
}

std::optional<HubFile> read_entry(const json& entry) {
    const auto text = [](const json& object, const char* key) {
        const auto found = object.find(key);
        return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    if (!entry.is_object() || text(entry, "type") != "file") return std::nullopt;
    HubFile file;
    file.path = text(entry, "path");
    if (!is_safe_path(file.path) || !is_model_file_name(file.path.substr(file.path.rfind('/') + 1)))
        return std::nullopt;
    if (const auto size = entry.find("size"); size != entry.end() && size->is_number_integer()) file.size_bytes = *size;
    if (const auto lfs = entry.find("lfs"); lfs != entry.end() && lfs->is_object()) {
        file.sha256 = text(*lfs, "oid");
        if (const auto size = lfs->find("size"); size != lfs->end() && size->is_number_integer())
            file.size_bytes = *size;
    }
    return file;
}

// The address in `<https://…>; rel="next"`, or "".
std::string next_page(const std::string& link) {
    const size_t rel = link.find("rel=\"next\"");
    if (rel == std::string::npos) return "";
    const size_t open = link.rfind('<', rel), close = link.rfind('>', rel);
    return open < close && close != std::string::npos ? link.substr(open + 1, close - open - 1) : "";
}

std::vector<HubFile> list_files(const Hub& hub, const std::string& repository) {
    const std::string thing = "list of " + repository;
    std::vector<HubFile> files;
    Url url = below(hub, "/api/models/" + encode_path(repository) + "/tree/main?recursive=1");
    for (int page = 0; page < most_pages; page++) {
        std::string answer;
        const HttpHead head = get(
            hub, url, {}, thing, [&](const HttpHead&) { answer.clear(); },
            [&](const char* data, size_t size) {
                if (answer.size() + size > largest_answer_bytes) throw FormatError(thing + ": the answer has no end");
                answer.append(data, size);
            });
        const json entries = json::parse(answer, nullptr, false);
        if (!entries.is_array())
            throw FormatError(fmt::format("{}: {} answers '{}', wanted a JSON array", thing,
                                          printable(hub.endpoint.host), printable(answer, 40)));
        for (const json& entry : entries) {
            if (const std::optional<HubFile> file = read_entry(entry)) files.push_back(*file);
        }
        const std::string next = next_page(head.link);
        if (next.empty()) return files;
        url = url.resolved(next);
        if (url.origin() != hub.endpoint.origin()) throw FormatError(thing + ": its next page is on another server");
    }
    throw FormatError(thing + ": the list has no end");
}

void check(const HubFile& file, const std::string& name) {
    const bool is_hash =
        file.sha256.size() == 64 && file.sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (!is_hash)
        throw FormatError(fmt::format("{}: the hub lists no SHA-256 for {}, and what can't be checked is not fetched",
                                      name, printable(file.path, 400)));
    if (file.size_bytes < 1)
        throw FormatError(
            fmt::format("{}: the hub lists {} with {} bytes", name, printable(file.path, 400), file.size_bytes));
}

// All parts of the model that this file is, or is the first part of.
std::vector<HubFile> parts_of(const HubFile& first, const std::vector<HubFile>& files, const std::string& name) {
    const size_t slash = first.path.rfind('/') + 1;
    const std::optional<SplitName> split = parse_split_name(first.path.substr(slash));
    if (!split) return {first};
    std::vector<HubFile> parts;
    for (int part = 1; part <= split->count; part++) {
        const std::string path = first.path.substr(0, slash) + split->name(part);
        const auto found = std::find_if(files.begin(), files.end(), [&](const HubFile& f) { return f.path == path; });
        if (found == files.end())
            throw FormatError(fmt::format("{}: the repository lacks {}", name, printable(path, 400)));
        parts.push_back(*found);
    }
    return parts;
}

bool is_first(const HubFile& file) {
    const std::optional<SplitName> split = parse_split_name(file.path.substr(file.path.rfind('/') + 1));
    return !split || split->number == 1;
}

[[noreturn]] void refuse_choice(std::string_view asked, const std::string& repository,
                                const std::vector<HubFile>& meant, const std::vector<HubFile>& all) {
    const std::vector<HubFile>& shown = meant.empty() ? all : meant;
    std::vector<std::string> names;
    for (const HubFile& file : shown)
        names.push_back(fmt::format("{} ({})", printable(file.path, 200), format_disk(file.size_bytes)));
    if (shown.empty())
        throw UsageError(fmt::format("hf:{} has no GGUF model: look for a repository that has", repository));
    throw UsageError(meant.empty() ? fmt::format("no '{}' on the hub: {} has {}", printable(asked, 400), repository,
                                                 fmt::join(names, ", "))
                                   : fmt::format("'{}' is {} models on the hub: name one of {}", printable(asked, 400),
                                                 meant.size(), fmt::join(names, ", ")));
}

// What a person wrote wins over a type that stands in several names.
std::vector<HubFile> meant_files(const std::vector<HubFile>& firsts, const std::string& wanted) {
    std::vector<HubFile> meant;
    for (const HubFile& file : firsts) {
        if (file.path == wanted) return {file};
        if (wanted.empty() || means_file(wanted, file.path)) meant.push_back(file);
    }
    return meant;
}

}  // namespace

Hub Hub::from_environment() {
    const std::string endpoint = variable("HF_ENDPOINT");
    Hub hub;
    try {
        hub.endpoint = parse_url(endpoint.empty() ? "https://huggingface.co" : endpoint);
    } catch (Error& error) {
        error.add_context("HF_ENDPOINT");
        throw;
    }
    hub.token = variable("HF_TOKEN");
    if (std::any_of(hub.token.begin(), hub.token.end(), [](unsigned char c) { return c <= ' ' || c >= 0x7F; }))
        throw UsageError("HF_TOKEN holds a character that no token has (a space or line break?)");
    return hub;
}

int64_t HubModel::size_bytes() const {
    int64_t sum = 0;
    for (const HubFile& file : files) sum += file.size_bytes;
    return sum;
}

HubModel find_on_hub(const Hub& hub, std::string_view asked) {
    const size_t colon = asked.find(':', 3);
    HubModel model;
    model.repository =
        asked.substr(std::min<size_t>(3, asked.size()), colon == std::string_view::npos ? colon : colon - 3);
    const std::string wanted(colon == std::string_view::npos ? "" : asked.substr(colon + 1));
    if (!asked.starts_with("hf:") || !is_repository_name(model.repository))
        throw UsageError(
            fmt::format("'{}' is no model of the hub: wanted hf:ORG/REPO[:FILE or type]", printable(asked, 400)));
    std::vector<HubFile> files, firsts;
    with_patience(
        hub, [] { return int64_t{0}; }, [&] { files = list_files(hub, model.repository); });
    std::copy_if(files.begin(), files.end(), std::back_inserter(firsts), is_first);
    const std::vector<HubFile> meant = meant_files(firsts, wanted);
    if (meant.size() != 1) refuse_choice(asked, model.repository, meant, firsts);
    model.name = fmt::format("hf:{}:{}", model.repository, meant[0].path);
    model.files = parts_of(meant[0], files, model.name);
    for (const HubFile& file : model.files) check(file, model.name);
    return model;
}

void read_from_hub(const Hub& hub, const HubModel& model, const HubFile& file, int64_t first, int64_t end,
                   const ByteSink& sink) {
    const std::string thing = printable(file.path, 400);
    const Url url = below(hub, "/" + encode_path(model.repository) + "/resolve/main/" + encode_path(file.path));
    HttpHeaders headers;
    if (first > 0 || end < file.size_bytes) headers.emplace_back("Range", fmt::format("bytes={}-{}", first, end - 1));
    const auto begin = [&](const HttpHead& head) {
        if (head.status == 206 &&
            (head.range_first != first || (head.range_total >= 0 && head.range_total != file.size_bytes)))
            throw FormatError(fmt::format("{}: the server sends bytes from {} of {}, wanted from {} of {}", thing,
                                          head.range_first, head.range_total, first, file.size_bytes));
        sink.begin(head.status == 206 ? first : 0);
    };
    get(hub, url, headers, thing, begin, sink.write);
}

void with_patience(const Hub& hub, const std::function<int64_t()>& gained, const std::function<void()>& action) {
    for (int failures = 0;;) {
        const int64_t before = gained();
        try {
            return action();
        } catch (const NetworkError&) {
            failures = gained() > before ? 1 : failures + 1;
            if (failures >= hub.most_failures) throw;
        }
        const auto until = std::chrono::steady_clock::now() +
                           std::chrono::duration<double>(hub.back_off_s * std::pow(2.0, failures - 1));
        while (std::chrono::steady_clock::now() < until) {
            check_interrupt();
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
    }
}

}  // namespace ech0
