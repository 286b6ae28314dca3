# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# Cross build for arm64 with Debian's g++-aarch64-linux-gnu. libnl and RE2 come from CNIO_ARM64_SYSROOT,
# which scripts/lib/arm64-sysroot fills; the C and C++ libraries come with the compiler, and nlohmann/json, being headers only,
# is the machine's own.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

set(CNIO_ARM64_SYSROOT "${CMAKE_CURRENT_LIST_DIR}/../build/arm64-sysroot" CACHE PATH "libnl and RE2 for arm64")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES CNIO_ARM64_SYSROOT)
cmake_path(ABSOLUTE_PATH CNIO_ARM64_SYSROOT NORMALIZE OUTPUT_VARIABLE sysroot)
if(NOT EXISTS "${sysroot}/versions")
  message(FATAL_ERROR "no arm64 libraries: first run scripts/lib/arm64-sysroot ${sysroot}")
endif()

# pkg-config looks nowhere else, and what it finds is below the sysroot.
set(ENV{PKG_CONFIG_LIBDIR} "${sysroot}/usr/lib/aarch64-linux-gnu/pkgconfig")
set(ENV{PKG_CONFIG_SYSROOT_DIR} "${sysroot}")
set(CMAKE_FIND_ROOT_PATH "${sysroot}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE BOTH)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)
