// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/rollback.hpp"

#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cnio {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RollbackTest : public ::testing::Test {
 protected:
  // A step that notes that it ran.
  Rollback::Step noting(const std::string& name) {
    return [this, name]() -> Status {
      done_.push_back(name);
      return {};
    };
  }

  std::vector<std::string> done_;
};

TEST_F(RollbackTest, RunsInReverseOrderAndReleasesLast) {
  Rollback undo;
  undo.add("a", noting("a"));
  undo.last("address", noting("address"));
  undo.add("b", noting("b"));
  undo.last("earlier address", noting("second address"));
  undo.add("c", noting("c"));
  EXPECT_THAT(undo.run(), IsEmpty());
  EXPECT_THAT(done_, ElementsAre("c", "b", "a", "second address", "address"));
}

TEST_F(RollbackTest, GoesOnPastFailuresAndNamesThem) {
  Rollback undo;
  undo.last("release", [] { return Status(Error::make(Code::kIo, "disk full")); });
  undo.add("a", noting("a"));
  undo.add("remove veth0", [] { return Status(Error::make(Code::kKernel, "busy")); });
  undo.add("b", noting("b"));
  EXPECT_THAT(undo.run(), ElementsAre("remove veth0: busy", "release: disk full"));
  EXPECT_THAT(done_, ElementsAre("b", "a"));
}

// A step that throws must not keep the others from running, nor end the process from a destructor.
TEST_F(RollbackTest, AnExceptionIsAFailureLikeAnyOther) {
  Rollback undo;
  undo.add("a", noting("a"));
  undo.add("parse", []() -> Status { throw std::runtime_error("no memory"); });
  EXPECT_THAT(undo.run(), ElementsAre("parse: no memory"));
  EXPECT_THAT(done_, ElementsAre("a"));
}

TEST_F(RollbackTest, RunsEachStepOnce) {
  Rollback undo;
  undo.add("a", noting("a"));
  EXPECT_THAT(undo.run(), IsEmpty());
  EXPECT_THAT(undo.run(), IsEmpty());
  EXPECT_THAT(done_, ElementsAre("a"));
}

TEST_F(RollbackTest, CommitForgetsAllSteps) {
  {
    Rollback undo;
    undo.add("a", noting("a"));
    undo.last("b", noting("b"));
    undo.commit();
    EXPECT_THAT(undo.run(), IsEmpty());
  }
  EXPECT_THAT(done_, IsEmpty());
}

TEST_F(RollbackTest, TheDestructorRunsWhatIsRegistered) {
  {
    Rollback undo;
    undo.last("address", noting("address"));
    undo.add("a", noting("a"));
  }
  EXPECT_THAT(done_, ElementsAre("a", "address"));
}

TEST_F(RollbackTest, AStepMayRegisterAnother) {
  Rollback undo;
  undo.add("a", [&]() -> Status {
    undo.add("late", noting("late"));
    return {};
  });
  EXPECT_THAT(undo.run(), IsEmpty());
  EXPECT_THAT(done_, ElementsAre("late"));
}

}  // namespace
}  // namespace cnio
