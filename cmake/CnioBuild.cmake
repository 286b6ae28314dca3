# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# Compiler settings, dependencies and the helpers that declare layers and plugins.
include(GNUInstallDirs)

option(CNIO_STATIC "Link the plugins fully statically, so that they run on any Linux host" ON)
# On in the presets, and so in scripts/test: the next compiler's new warning must not keep others from building.
option(CNIO_WERROR "Treat compiler warnings as errors" OFF)
option(CNIO_FUZZ "Build the fuzz targets of tests/fuzz, which needs clang++ and its address sanitizer" OFF)
set(CNIO_AT_ONCE "" CACHE STRING "Compile several sources at a time: most (what plugins are not made of), or all. Faster if all is built, slower for one that changed")
set_property(CACHE CNIO_AT_ONCE PROPERTY STRINGS "" most all)
set(CNIO_PLUGIN_DIR "/opt/cni/bin" CACHE PATH "Where `cmake --install` puts the plugins (DESTDIR is honoured)")

# Who says nothing wants to install what comes of it. CMake's own default is code that is neither optimised nor debuggable.
get_property(has_configurations GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT CMAKE_BUILD_TYPE AND NOT has_configurations)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo, MinSizeRel, or None" FORCE)
endif()

if(NOT CNIO_AT_ONCE MATCHES "^(most|all)?$")
  message(FATAL_ERROR "CNIO_AT_ONCE is most, all, or empty, not \"${CNIO_AT_ONCE}\"")
endif()
set(CMAKE_UNITY_BUILD_BATCH_SIZE 16)
if(CNIO_AT_ONCE STREQUAL "all")
  set(CMAKE_UNITY_BUILD ON)
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

find_package(PkgConfig REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
if(CNIO_STATIC)
  set(CMAKE_FIND_LIBRARY_SUFFIXES ".a") # else the imported targets name the shared libraries by path
endif()
pkg_check_modules(LIBNL REQUIRED IMPORTED_TARGET libnl-3.0>=3.7 libnl-route-3.0>=3.7)
# The language of the patterns in tuning's allowlist; no other executable has it.
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)

# The order of what is linked, which costs time and nothing else: not every linker takes it.
include(CheckLinkerFlag)
set(CNIO_STARTUP_ORDER "-Wl,-T,${PROJECT_SOURCE_DIR}/cmake/startup.ld")
check_linker_flag(CXX "${CNIO_STARTUP_ORDER}" CNIO_LINKER_ORDERS)

add_library(cnio_options INTERFACE)
target_compile_options(cnio_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor
  $<$<BOOL:${CNIO_WERROR}>:-Werror>
  -ffunction-sections -fdata-sections)
target_compile_definitions(cnio_options INTERFACE
  CNIO_VERSION="${PROJECT_VERSION}"
  JSON_NO_IO=1 JSON_USE_IMPLICIT_CONVERSIONS=0 JSON_DIAGNOSTICS=0)
target_include_directories(cnio_options INTERFACE "${PROJECT_SOURCE_DIR}/include")

# What a fuzz target is to explore is compiled so that libFuzzer sees which paths an input takes, and fast enough for it
# to take many; in other executables of such a build the traces lead nowhere. Optimised, they take twice as long to compile, and
# a tool's many sources are not worth it.
add_library(cnio_product INTERFACE)
target_compile_options(cnio_product INTERFACE "$<$<BOOL:${CNIO_FUZZ}>:-fsanitize=fuzzer-no-link>"
  "$<$<AND:$<BOOL:${CNIO_FUZZ}>,$<NOT:$<BOOL:$<TARGET_PROPERTY:CNIO_IS_TOOL>>>>:-O1>")

# cnio_add_layer(<name> [DEPENDS <target>...]): the library cnio_<name> of all *.cpp in src/<name> and its folders.
function(cnio_add_layer name)
  cmake_parse_arguments(ARG "" "" "DEPENDS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp")
  add_library(cnio_${name} STATIC ${sources})
  target_link_libraries(cnio_${name} PUBLIC cnio_options ${ARG_DEPENDS} PRIVATE cnio_product)
  target_include_directories(cnio_${name} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
endfunction()

# What `cmake --build <folder> --target plugins` builds, and what a test of their insides links.
add_custom_target(plugins)
add_library(cnio_plugins INTERFACE)
add_library(cnio_tools INTERFACE)

# cnio_add_program(<name> <library>): the executable of <name>/main.cpp on a library of the folder's other files.
function(cnio_add_program name library)
  add_executable(${name} "${name}/main.cpp")
  target_link_libraries(${name} PRIVATE ${library})
  target_link_options(${name} PRIVATE -Wl,--gc-sections)
  if(CNIO_STATIC)
    # static_runtime.cpp says what is wrapped, and why.
    target_sources(${name} PRIVATE "${PROJECT_SOURCE_DIR}/plugins/static_runtime.cpp")
    set_property(TARGET ${name} APPEND PROPERTY LINK_DEPENDS "${PROJECT_SOURCE_DIR}/cmake/startup.ld")
    target_link_options(${name} PRIVATE -static $<$<BOOL:${CNIO_LINKER_ORDERS}>:${CNIO_STARTUP_ORDER}>
      -Wl,--wrap=getaddrinfo,--wrap=getnameinfo,--wrap=freeaddrinfo,--wrap=getprotobyname,--wrap=getprotobynumber
      -Wl,--wrap=_dl_get_origin
      -Wl,--wrap=__isoc99_sscanf,--wrap=__isoc99_fscanf,--wrap=__isoc23_sscanf,--wrap=__isoc23_fscanf)
  endif()
endfunction()

# cnio_add_plugin(<name> main|meta|ipam): the executable of plugins/<name>/main.cpp on a static library of the
# folder's other files, so that configuration and verbs can be unit-tested; installed into CNIO_PLUGIN_DIR. The plugin
# makes interfaces (main), adds to what the plugins before it made (meta) or gives addresses (ipam).
function(cnio_add_plugin name kind)
  if(NOT kind MATCHES "^(main|meta|ipam)$")
    message(FATAL_ERROR "plugin ${name}: its kind is main, meta or ipam, not \"${kind}\"")
  endif()
  set_property(GLOBAL APPEND PROPERTY CNIO_PLUGINS "${name} ${kind}")
  set_property(GLOBAL APPEND_STRING PROPERTY CNIO_PLUGIN_NAMES "${name} ")
  string(REPLACE "-" "_" id "${name}")
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp")
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  add_library(cnio_plugin_${id} STATIC ${sources})
  target_link_libraries(cnio_plugin_${id} PUBLIC cnio_ipam cnio_firewall cnio_attachment PRIVATE cnio_product)
  target_include_directories(cnio_plugin_${id} PUBLIC "${PROJECT_SOURCE_DIR}/plugins")
  cnio_add_program(${name} cnio_plugin_${id})
  install(PROGRAMS "$<TARGET_FILE:${name}>" DESTINATION "${CNIO_PLUGIN_DIR}")
  add_dependencies(plugins ${name})
  target_link_libraries(cnio_plugins INTERFACE cnio_plugin_${id})
endfunction()

# cnio_add_tool(<name>): the executable of tools/<name>/main.cpp, made like a plugin's, but for people and scripts:
# installed into sbin, for a runtime takes each file beside the plugins for one.
function(cnio_add_tool name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp")
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  add_library(cnio_tool_${name} STATIC ${sources})
  target_link_libraries(cnio_tool_${name} PUBLIC cnio_ipam cnio_firewall cnio_attachment PRIVATE cnio_product)
  set_target_properties(cnio_tool_${name} PROPERTIES CNIO_IS_TOOL TRUE)
  target_include_directories(cnio_tool_${name} PUBLIC "${PROJECT_SOURCE_DIR}/tools")
  # Nearly every file of it speaks JSON, of which the header takes longer than the file. Who parses it for each file, as
  # clang-tidy in scripts/test does, sees if one forgot to include it.
  target_precompile_headers(cnio_tool_${name} PRIVATE <nlohmann/json.hpp>)
  cnio_add_program(${name} cnio_tool_${name})
  install(PROGRAMS "$<TARGET_FILE:${name}>" DESTINATION "${CMAKE_INSTALL_SBINDIR}")
  add_dependencies(plugins ${name})
  target_link_libraries(cnio_tools INTERFACE cnio_tool_${name})
endfunction()

# cnio_write_plugins(): plugins.txt in the build folder, a line "<name> <kind>" for each plugin, for all that has
# to know which there are. Installed with the papers, since a runtime takes each file beside the plugins for one.
function(cnio_write_plugins)
  get_property(plugins GLOBAL PROPERTY CNIO_PLUGINS)
  list(JOIN plugins "\n" lines)
  file(GENERATE OUTPUT "${PROJECT_BINARY_DIR}/plugins.txt" CONTENT "${lines}\n")
  install(FILES "${PROJECT_BINARY_DIR}/plugins.txt" DESTINATION "${CNIO_DOC_DIR}")
endfunction()
