// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnioctl/command_line/field.hpp"

// What several verbs take.
namespace cnio::cnioctl {

constexpr Option network_option(Field to) {
  return {.name = "network", .value = "NAME", .about = "this one alone; as often as wanted", .to = to};
}
constexpr Option data_dir_option(Field to) {
  return {.name = "data-dir", .value = kFolder, .about = "host-local's", .to = to};
}
constexpr Option cache_dir_option(Field to) {
  return {.name = "cache-dir", .value = kFolder, .about = "libcni's, which knows pods' names", .to = to};
}
constexpr Option bin_option(Field to) {
  return {.name = "bin", .value = kFolder, .about = "where the plugins are, which do the work", .to = to};
}
constexpr Option valid_option(Field to) {
  return {
      .name = "valid", .value = kFile, .about = "containers that a runtime knows, one a line: these live", .to = to};
}
constexpr Option runtime_option(Field to) {
  return {.name = "runtime",
          .value = "RUNTIME",
          .choices = "none|auto|crictl|podman",
          .about = "asks it which containers it knows; auto: all of these that are here",
          .to = to};
}

// Of every verb that looks at the node.
inline constexpr std::array kLookPlaces = {
    data_dir_option(field<&Line::places, &Places::stores, &StorePlaces::data_dir>()),
    cache_dir_option(field<&Line::places, &Places::stores, &StorePlaces::cache_dir>()),
    Option{.name = "conf-dir",
           .value = kFolder,
           .about = "of the networks' files",
           .to = field<&Line::places, &Places::conf_dir>()},
    network_option(field<&Line::places, &Places::networks>()),
    valid_option(field<&Line::places, &Places::witness, &WitnessOptions::valid_file>()),
    runtime_option(field<&Line::places, &Places::witness, &WitnessOptions::runtime>())};

}  // namespace cnio::cnioctl
