#include <fmt/format.h>

int main() { fmt::print("ech0 {}\n", ECH0_VERSION); }
