# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# Packages: `cmake --build <folder> --target package`, or scripts/package, makes cni-plugins-linux-<arch>-v<version>.tgz and
# cnio_<version>_<arch>.deb of what `cmake --install` puts in place, each with its .sha256. See docs/packages.md.
#
# CPack's own TGZ and DEB generators (3.25) put into the package who built it, under which umask and on which file
# system; so packaging/ makes both, as its External generator, in a way that gives the same bytes anywhere.
if(NOT CNIO_STATIC)
  return() # would need libraries of the machine it is installed on
endif()

# Go's name for the architecture, as in the names of the reference's releases, which is Debian's as well.
set(CPACK_CNIO_ARCHITECTURE "${CMAKE_SYSTEM_PROCESSOR}")
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  set(CPACK_CNIO_ARCHITECTURE "amd64")
elseif(CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64")
  set(CPACK_CNIO_ARCHITECTURE "arm64")
endif()

set(CNIO_MAINTAINER "The cnio authors <authors@cnio.invalid>" CACHE STRING "Maintainer of the Debian package")

set(CPACK_GENERATOR "External")
set(CPACK_EXTERNAL_PACKAGE_SCRIPT "${PROJECT_SOURCE_DIR}/packaging/packages.cmake")
set(CPACK_CNIO_SOURCE_DIR "${PROJECT_SOURCE_DIR}")
set(CPACK_CNIO_BUILD_DIR "${PROJECT_BINARY_DIR}")
set(CPACK_CNIO_PLUGIN_DIR "${CNIO_PLUGIN_DIR}")
set(CPACK_PACKAGE_CONTACT "${CNIO_MAINTAINER}")
set(CPACK_PACKAGE_CHECKSUM "SHA256")
set(CPACK_VERBATIM_VARIABLES ON)
include(CPack)
