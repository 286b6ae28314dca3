# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# cpack runs this (cmake/CnioPackage.cmake); the work is done by make-packages.sh. cpack adds the checksums.
execute_process(
  COMMAND "${CPACK_CNIO_SOURCE_DIR}/packaging/make-packages.sh" "${CPACK_CNIO_BUILD_DIR}" "${CPACK_TEMPORARY_DIRECTORY}"
    "${CPACK_PACKAGE_VERSION}" "${CPACK_CNIO_ARCHITECTURE}" "${CPACK_CNIO_PLUGIN_DIR}" "${CPACK_PACKAGE_CONTACT}"
  COMMAND_ERROR_IS_FATAL ANY)
file(GLOB CPACK_EXTERNAL_BUILT_PACKAGES "${CPACK_TEMPORARY_DIRECTORY}/*.tgz" "${CPACK_TEMPORARY_DIRECTORY}/*.deb")
