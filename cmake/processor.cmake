# Rounding with error feedback is matrix products; what plain x86-64 offers for them (SSE2) is an eighth of what this
# processor can do. A build for this machine is therefore made for its level of x86-64; ECH0_PROCESSOR="" builds for
# any. The level is named instead of -march=native, so that a compiler cache that travels between machines stays right.
set(ECH0_PROCESSOR "auto" CACHE STRING "x86-64 level to compile for: auto (this machine's), x86-64-v3, x86-64-v4, or empty for any")

set(ech0_processor "${ECH0_PROCESSOR}")
if(ech0_processor STREQUAL "auto")
  set(ech0_processor "")
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" AND NOT CMAKE_CROSSCOMPILING)
    execute_process(COMMAND ${CMAKE_CXX_COMPILER} -march=native -dM -E -x c++ /dev/null
                    OUTPUT_VARIABLE macros ERROR_QUIET)
    if(macros MATCHES "__AVX512VL__" AND macros MATCHES "__AVX512DQ__" AND macros MATCHES "__AVX512BW__")
      set(ech0_processor x86-64-v4)
    elseif(macros MATCHES "__AVX2__" AND macros MATCHES "__FMA__")
      set(ech0_processor x86-64-v3)
    endif()
  endif()
endif()
if(ech0_processor)
  add_compile_options(-march=${ech0_processor})
endif()
