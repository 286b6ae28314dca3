// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// The attribute of a reservation's file, which only the host's root can write.
#include <fcntl.h>

#include <gtest/gtest.h>

#include "cnio/base/unique_fd.hpp"
#include "cnio/ipam/reservation_origin.hpp"

#include "support/matchers.hpp"
#include "support/temp_folder.hpp"

namespace cnio::ipam {
namespace {

class OriginAttributeTest : public testing::Test {
 protected:
  Origin written_and_read(const Origin& origin) {
    OriginAttribute attribute;
    EXPECT_OK(attribute.write(file_.get(), origin));
    return attribute.read(file_.get()).value_or(Origin());
  }

  const test::TempFolder folder_;
  const UniqueFd file_{open((folder_.path() + "/10.1.0.2").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
};

TEST_F(OriginAttributeTest, OfAPathOfAnyLengthIsReadAsItWasWritten) {
  for (const size_t length :
       {1U, 400U, 500U, 512U, 600U, 2000U}) {  // some file systems have room for no more than a block
    const Origin then{"boot-1", "node", "/" + std::string(length - 1, 'n'), 4, 4026532318, 1795286066378289407};
    EXPECT_TRUE(written_and_read(then).format() == then.format()) << length;
  }
}

TEST_F(OriginAttributeTest, OfAFileWithoutOneThereIsNone) {
  EXPECT_FALSE(OriginAttribute().read(file_.get()).has_value());
}

}  // namespace
}  // namespace cnio::ipam
