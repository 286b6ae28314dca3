// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "plugin/configs.hpp"
#include "support/host.hpp"
#include "support/plugin.hpp"
#include "support/snapshot.hpp"

namespace cnio::test {
namespace {

class Tuning : public HostTest {
 protected:
  std::string pod_ = add_netns("pod");
  Attachment attachment_{"c1", pod_, "eth0", ""};
};

TEST_F(Tuning, AddDoesWhatItIsFor) {
  const Json result = must_add(minimal_config("tuning"), attachment_);
  FAIL() << "write here what ADD has to make, as ip, nft or traffic see it; then DEL, twice. It answered: " << result;
}

}  // namespace
}  // namespace cnio::test
