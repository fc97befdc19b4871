# What `make install` puts where:
#   bin/ech0                      the program
#   lib/libech0.a, include/ech0/  the library; find_package(ech0) gives ech0::libech0
#   lib/ech0/engine/              the pinned engine's libraries and headers, which a user of libech0.a must link too
#   share/ech0/texts/             the texts that are built into the program, for people to read
#   share/ech0/machines/          profiles of machines for --machine
#   share/ech0/scripts/           what fetches the demo model
#   libexec/ech0/                 llama-server and ggml-rpc-server of the same engine, if `make server` built them
#   share/man/man1/               ech0(1), and a page for each command
#   share/bash-completion/, share/zsh/, share/fish/    completions
# Nothing in it names the folder where it lies: the tree may be moved, and is the content of `make package`.
include(CMakePackageConfigHelpers)

install(TARGETS ech0)
# What a user of the library needs is a component of its own, which packages leave out.
install(TARGETS libech0 EXPORT ech0-targets COMPONENT dev)
install(DIRECTORY include/ech0 DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev)
install(DIRECTORY share/texts share/machines DESTINATION ${CMAKE_INSTALL_DATADIR}/ech0)
install(PROGRAMS scripts/demo_model.sh scripts/environment.sh DESTINATION ${CMAKE_INSTALL_DATADIR}/ech0/scripts)
install(FILES README.md LICENSE THIRD_PARTY.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

# The servers are built apart (`make server`), so they are looked for when things are installed.
install(CODE "
  file(GLOB servers ${CMAKE_BINARY_DIR}/engine/llama-server ${CMAKE_BINARY_DIR}/engine/ggml-rpc-server)
  file(INSTALL \${servers} DESTINATION \${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBEXECDIR}/ech0
       USE_SOURCE_PERMISSIONS)")

# Manual pages and completions, by the program from its own description.
set(ech0_described ${CMAKE_BINARY_DIR}/described)
add_custom_command(OUTPUT ${ech0_described}/done
  COMMAND ${CMAKE_COMMAND} -DECH0=$<TARGET_FILE:ech0> -DINTO=${ech0_described} -P ${CMAKE_CURRENT_SOURCE_DIR}/cmake/describe.cmake
  DEPENDS ech0 cmake/describe.cmake VERBATIM)
add_custom_target(describe ALL DEPENDS ${ech0_described}/done)
install(DIRECTORY ${ech0_described}/man1 DESTINATION ${CMAKE_INSTALL_MANDIR})
install(FILES ${ech0_described}/ech0.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME ech0)
install(FILES ${ech0_described}/_ech0 DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${ech0_described}/ech0.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)

set(ech0_engine_dir ${CMAKE_INSTALL_LIBDIR}/ech0/engine)
if(ECH0_LLAMA STREQUAL "pinned")
  install(DIRECTORY ${ECH0_LLAMA_PREFIX}/ DESTINATION ${ech0_engine_dir} COMPONENT dev)
endif()

set(ech0_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/ech0)
install(EXPORT ech0-targets NAMESPACE ech0:: DESTINATION ${ech0_cmake_dir} COMPONENT dev)
configure_package_config_file(cmake/ech0-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/ech0-config.cmake
  INSTALL_DESTINATION ${ech0_cmake_dir} PATH_VARS ech0_engine_dir)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/ech0-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/ech0-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/ech0-config-version.cmake
  DESTINATION ${ech0_cmake_dir} COMPONENT dev)

# `make package`: a .deb and a tarball of the program, without the library.
set(CPACK_PACKAGE_NAME ech0)
set(CPACK_PACKAGE_VENDOR ech0)
set(CPACK_PACKAGE_CONTACT "ech0 developers")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_RESOURCE_FILE_LICENSE ${CMAKE_CURRENT_SOURCE_DIR}/LICENSE)
set(CPACK_GENERATOR TGZ)
find_program(DPKG_SHLIBDEPS dpkg-shlibdeps)
if(DPKG_SHLIBDEPS)
  list(APPEND CPACK_GENERATOR DEB)
endif()
set(CPACK_INSTALL_CMAKE_PROJECTS "${CMAKE_BINARY_DIR};${PROJECT_NAME};Unspecified;/")  # all but dev
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "ollama")
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
include(CPack)
