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

// Of every verb that looks at the node.
inline constexpr std::array kLookPlaces = {
    data_dir_option(field<&Line::places, &Places::stores, &StorePlaces::data_dir>),
    cache_dir_option(field<&Line::places, &Places::stores, &StorePlaces::cache_dir>),
    Option{.name = "conf-dir",
           .value = kFolder,
           .about = "of the networks' files",
           .to = field<&Line::places, &Places::conf_dir>},
    network_option(field<&Line::places, &Places::networks>)};

}  // namespace cnio::cnioctl
