# ech0_embed(TARGET SYMBOL FILE...): make the bytes of the files part of TARGET, one after another in the given order, as
#   namespace ech0::embedded { std::string_view SYMBOL(); }
# declared in <embedded/SYMBOL.h>. Done at build time with the compiler alone: the assembler's .incbin reads the file,
# so a change of the text is a rebuild of one object and no generated megabytes of hex.
function(ech0_embed TARGET SYMBOL)
  set(dir ${CMAKE_BINARY_DIR}/embedded)
  set(asm ${dir}/embedded/${SYMBOL}.cpp)
  set(files "")
  set(incbins "")
  foreach(file IN LISTS ARGN)
    get_filename_component(path ${file} ABSOLUTE)
    list(APPEND files ${path})
    string(APPEND incbins "    \".incbin \\\"${path}\\\"\\n\"\n")
  endforeach()
  file(CONFIGURE OUTPUT ${dir}/embedded/${SYMBOL}.h @ONLY CONTENT
"#pragma once
#include <string_view>
namespace ech0::embedded { std::string_view @SYMBOL@(); }
")
  file(CONFIGURE OUTPUT ${asm} @ONLY CONTENT
"#include \"embedded/@SYMBOL@.h\"
#if defined(__APPLE__)
#define SECTION \".section __TEXT,__const\\n\"
#define NAME(x) \"_\" #x
#else
#define SECTION \".section .rodata\\n\"
#define NAME(x) #x
#endif
__asm__(SECTION
    \".globl \" NAME(ech0_@SYMBOL@_begin) \"\\n\" NAME(ech0_@SYMBOL@_begin) \":\\n\"
@incbins@    \".globl \" NAME(ech0_@SYMBOL@_end) \"\\n\" NAME(ech0_@SYMBOL@_end) \":\\n\"
    \".byte 0\\n.text\\n\");
extern \"C\" const char ech0_@SYMBOL@_begin[], ech0_@SYMBOL@_end[];
namespace ech0::embedded {
std::string_view @SYMBOL@() { return {ech0_@SYMBOL@_begin, static_cast<size_t>(ech0_@SYMBOL@_end - ech0_@SYMBOL@_begin)}; }
}
")
  # The property holds for the folder that has the target, which may be another one than this.
  set_source_files_properties(${asm} TARGET_DIRECTORY ${TARGET} PROPERTIES OBJECT_DEPENDS "${files}")
  target_sources(${TARGET} PRIVATE ${asm})
  target_include_directories(${TARGET} PRIVATE ${dir})
endfunction()
