// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// The kernel's answers (netlink_answers.hpp) to all that the plugins ask. Seeds: record-netlink.
#include "fuzz/fuzz.hpp"
#include "fuzz/netlink_answers.hpp"
#include "fuzz/netlink_mutator.hpp"
#include "fuzz/netlink_operations.hpp"
#include "support/forged_kernel/forged_kernel.hpp"

namespace cnio::fuzz {
namespace {

void fuzz_one(std::string_view input) {
  if (input.empty()) return;
  const test::ForgedKernel kernel(split_answers(input.substr(1)));
  const auto& operations = netlink_operations();
  operations[static_cast<uint8_t>(input[0]) % operations.size()].run();
}

}  // namespace
}  // namespace cnio::fuzz

CNIO_FUZZ_TARGET(cnio::fuzz::fuzz_one)

// libFuzzer's own.
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t room);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t room, unsigned seed) {
  if (seed % 2 == 0) return LLVMFuzzerMutate(data, size, room);
  const std::string changed = cnio::fuzz::NetlinkMutator(seed).mutate({reinterpret_cast<const char*>(data), size});
  const size_t length = std::min(changed.size(), room);
  std::memcpy(data, changed.data(), length);
  return length;
}
