// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/picture/picture.hpp"

#include "cnioctl/describe.hpp"
#include "cnioctl/output.hpp"
#include "cnioctl/picture/svg.hpp"

namespace cnio::cnioctl {

Outcome picture(const Facts& facts, const std::string& file) {
  const Scene scene = make_scene(facts);
  return deliver(facts, file, file.ends_with(".dot") ? dot_of(scene) : svg_of(scene));
}

}  // namespace cnio::cnioctl
