# What `make install` puts where:
#   bin/ech0                      the program
#   lib/libech0.a, include/ech0/  the library; find_package(ech0) gives ech0::libech0
#   lib/ech0/engine/              the pinned engine's libraries and headers, which a user of libech0.a must link too
#   share/ech0/texts/             the texts that are built into the program, for people to read
#   share/ech0/machines/          profiles of machines for --machine
#   share/ech0/scripts/           what fetches the demo model
include(CMakePackageConfigHelpers)

install(TARGETS ech0)
install(TARGETS libech0 EXPORT ech0-targets)
install(DIRECTORY include/ech0 DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY share/texts share/machines DESTINATION ${CMAKE_INSTALL_DATADIR}/ech0)
install(PROGRAMS scripts/demo_model.sh scripts/environment.sh DESTINATION ${CMAKE_INSTALL_DATADIR}/ech0/scripts)
install(FILES README.md LICENSE THIRD_PARTY.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(ech0_engine_dir ${CMAKE_INSTALL_LIBDIR}/ech0/engine)
if(ECH0_LLAMA STREQUAL "pinned")
  install(DIRECTORY ${ECH0_LLAMA_PREFIX}/ DESTINATION ${ech0_engine_dir})
endif()

set(ech0_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/ech0)
install(EXPORT ech0-targets NAMESPACE ech0:: DESTINATION ${ech0_cmake_dir})
configure_package_config_file(cmake/ech0-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/ech0-config.cmake
  INSTALL_DESTINATION ${ech0_cmake_dir} PATH_VARS ech0_engine_dir)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/ech0-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/ech0-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/ech0-config-version.cmake
  DESTINATION ${ech0_cmake_dir})
