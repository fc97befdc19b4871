# A Homebrew formula, for a tap of one's own:
#
#   brew tap-new YOU/ech0 && cp packaging/ech0.rb "$(brew --repository YOU/ech0)/Formula/" && brew install --HEAD YOU/ech0/ech0
#
# It builds the pinned engine with the program, as `make install` does. A release adds `url` and `sha256`.
class Ech0 < Formula
  desc "Fit a language model to the machine you have, and prove it still thinks"
  homepage "https://github.com/ech0/ech0"
  license "MIT"
  head "https://github.com/ech0/ech0.git", branch: "main"

  depends_on "ccache" => :build
  depends_on "cli11" => :build
  depends_on "cmake" => :build
  depends_on "doctest" => :build
  depends_on "eigen" => :build
  depends_on "ninja" => :build
  depends_on "nlohmann-json" => :build
  depends_on "python3" => :build
  depends_on "tomlplusplus" => :build
  depends_on "cpp-httplib"
  depends_on "fmt"
  depends_on "minizip"
  depends_on "openssl@3"
  depends_on "portaudio"
  uses_from_macos "libedit"
  uses_from_macos "zlib"

  def install
    ENV["ECH0_CACHE"] = buildpath/"cache"
    ENV["ECH0_NO_INSTALL"] = "1"
    ENV["CMAKE_FLAGS"] = "-DECH0_BUILD_TESTS=OFF"
    system "make", "server"
    system "cmake", "--install", "build", "--prefix", prefix
  end

  test do
    assert_match "ech0 ", shell_output("#{bin}/ech0 --version")
    assert_match "m4-24gb", shell_output("#{bin}/ech0 fit qwen2.5:0.5b --machine m4-24gb --json")
    assert_path_exists libexec/"ech0/llama-server"
    assert_match "no model 'none.gguf'", shell_output("#{bin}/ech0 chat none.gguf -p hello 2>&1", 2)
  end
end
