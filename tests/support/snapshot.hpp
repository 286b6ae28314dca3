// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace cnio::test {

/// Is it about a link-local or multicast address of IPv6, which the kernel adds in its own time? Of an object that `ip
/// -j` printed.
bool made_by_kernel(const std::string& object);

/// The state of a namespace (and of the reservation store) as lines of text, to be compared before and after.
///
/// Left out: IPv6 link-local addresses and the routes that come with them, since the kernel makes them on its own
/// time, and counters, handles and indices.
class Snapshot {
 public:
  /// Links, addresses, routes, nft rules and forwarding of a namespace; empty: the host.
  static Snapshot of(const std::string& netns = "");

  /// of(host) and the tree of /var/lib/cni: names, modes and bytes.
  static Snapshot of_host();

  /// The tree of a folder only.
  static Snapshot of_tree(const std::string& folder);

  /// Without every line of a device, for a bridge that an ADD may leave behind.
  Snapshot without_device(const std::string& device) const;
  /// Without the lock and cursor files of the store and its folders, which outlive an attachment by design.
  Snapshot without_cursors() const;
  /// Without the forwarding switches, which outlive an attachment by design.
  Snapshot without_forwarding() const;
  /// Without the empty frame of our own masquerade table: its table, chains and sets without an element. What an
  /// attachment adds (elements, and chains with rules outside the frame) still counts.
  Snapshot without_masquerade_frame() const;

  /// Without the chains and jumps of the firewall plugin, which stay as the reference's do: table filter of iptables,
  /// and the bridge in it. Rules of pods still count.
  Snapshot without_firewall_frame() const;

  /// Equal, or the lines that went and came.
  friend ::testing::AssertionResult same(const Snapshot& before, const Snapshot& after);

  /// The same of the table of port maps, and of iptables' chains: what is left is elements, and chains of attachments.
  Snapshot without_port_map_frame() const;

  std::string text() const;

 private:
  struct Line {
    std::string kind;
    std::string subject;  ///< device, file or table
    std::string text;
    auto operator<=>(const Line&) const = default;
  };

  void add_links(const std::string& netns);
  void add_routes(const std::string& netns, const std::string& family);
  void add_rules(const std::string& netns);
  void add_tree(const std::string& folder);
  template <typename Predicate>
  Snapshot without(Predicate drop) const;

  std::vector<Line> lines_;
};

::testing::AssertionResult same(const Snapshot& before, const Snapshot& after);

}  // namespace cnio::test
