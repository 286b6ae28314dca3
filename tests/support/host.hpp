// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <gtest/gtest.h>

/// Ties a test to the rows of the parity document it proves (`PARITY("T16 D21")` at the start of the body).
#define PARITY(ids) RecordProperty("parity", ids)

/// Ties a test to what it defends against, for the table of docs/reliability.md: `FAULT("A1 locks")`, the point of the
/// issue that reported it and a word for its kind.
#define FAULT(ids) RecordProperty("fault", ids)

namespace cnio::test {

/// Moves the calling process into a world of its own: a new network namespace ("the host" of the test, lo up) and a
/// new mount namespace with empty /run and /var/lib, so that namespaces, reservations and lock files of a test
/// vanish with the process even if it is killed. Needs root; throws otherwise: a test that cannot run has failed.
class IsolatedHost {
 public:
  IsolatedHost();
  IsolatedHost(const IsolatedHost&) = delete;
  IsolatedHost& operator=(const IsolatedHost&) = delete;
  ~IsolatedHost();

 private:
  int machine_;  // the mount namespace from before, and the working folder in it
  int folder_;
};

/// Makes a namespace with `ip netns add` and returns its path. lo stays down, as a runtime leaves it.
std::string add_netns(const std::string& name);
void delete_netns(const std::string& name);

/// An empty folder in the private /run of the test, gone with it.
std::string make_folder(const std::string& name);

void write_file(const std::string& path, const std::string& text);
/// Throws if the file cannot be read.
std::string read_file(const std::string& path);

/// The value of a variable of /proc/sys ("net/ipv4/ip_forward") as seen in a namespace (empty: the host).
std::string sysctl(const std::string& name, const std::string& netns = "");
void set_sysctl(const std::string& name, const std::string& value, const std::string& netns = "");

/// A test with a host of its own.
class HostTest : public ::testing::Test {
 private:
  IsolatedHost world_;
};

}  // namespace cnio::test
