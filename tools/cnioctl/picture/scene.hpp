// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cnioctl/world/facts.hpp"

// What is in a picture of a node, before anybody draws it. All texts are fit to be printed, but may hold whatever a
// drawing has to escape: "<", quotes, backslashes.
namespace cnio::cnioctl {

enum class Look : uint8_t { kWell, kWrong, kStale, kUnknown };
// "well", "wrong", "stale", "unknown": as a drawing may name a style.
std::string_view to_string(Look look);

// A pod and its cable, or many of them in one box.
struct SceneRow {
  Look look = Look::kWell;
  std::string name;
  std::string addresses = {};
  std::string host_end = {};  // empty: there is none
  bool attached = true;       // its host end is where it should be
  bool many = false;          // stands for several
  std::string trouble = {};   // why it does not look well
  std::string title = {};     // all that is known of it
};

// A box of several lines, of which the first is its name.
struct SceneBox {
  Look look = Look::kWell;
  std::vector<std::string> lines;
  std::string title = {};
};

// A bridge with its pods; or a network without one.
struct SceneGroup {
  SceneBox box;
  bool routed = true;  // by the node; or it is on the wire itself, as macvlan is
  std::vector<SceneRow> rows = {};
};

struct Scene {
  std::string name;                   // of the node
  std::string about;                  // kernel, pods
  std::vector<std::string> problems;  // in the words of status
  std::vector<SceneGroup> groups;
  SceneBox forwarding;
  SceneBox uplink;
  std::vector<std::string> routes;
};

// Of a bridge more pods than this are not shown one by one: those that are well, or have the same trouble, share a box.
inline constexpr size_t kMostRows = 60;

// `facts` with names and routes (name_pods, add_routes).
Scene make_scene(const Facts& facts);

}  // namespace cnio::cnioctl
