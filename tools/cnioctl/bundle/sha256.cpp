// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/bundle/sha256.hpp"

#include <array>
#include <bit>
#include <cstdint>

namespace cnio::cnioctl {
namespace {

constexpr size_t kHashBlock = 64;
constexpr size_t kRounds = 64;
constexpr size_t kLengthSize = 8;

// FIPS 180-4, 4.2.2 and 5.3.3.
constexpr std::array<uint32_t, kRounds> kConstants = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
using State = std::array<uint32_t, 8>;
constexpr State kStart = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                          0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

uint32_t word_at(std::string_view block, size_t number) {
  uint32_t out = 0;
  for (size_t i = 0; i < 4; ++i) out = (out << 8U) | static_cast<uint8_t>(block[4 * number + i]);
  return out;
}

// 6.2.2, step 1.
std::array<uint32_t, kRounds> schedule(std::string_view block) {
  std::array<uint32_t, kRounds> w{};
  for (size_t t = 0; t < 16; ++t) w.at(t) = word_at(block, t);
  for (size_t t = 16; t < kRounds; ++t) {
    const uint32_t a = w.at(t - 15);
    const uint32_t b = w.at(t - 2);
    w.at(t) = w.at(t - 16) + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ (a >> 3U)) + w.at(t - 7) +
              (std::rotr(b, 17) ^ std::rotr(b, 19) ^ (b >> 10U));
  }
  return w;
}

// 6.2.2, steps 2 to 4.
void add_block(State& state, std::string_view block) {
  const auto w = schedule(block);
  auto [a, b, c, d, e, f, g, h] = state;
  for (size_t t = 0; t < kRounds; ++t) {
    const uint32_t first =
        h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) + ((e & f) ^ (~e & g)) + kConstants.at(t) + w.at(t);
    const uint32_t second = (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + first;
    d = c;
    c = b;
    b = a;
    a = first + second;
  }
  const State after = {a, b, c, d, e, f, g, h};
  for (size_t i = 0; i < state.size(); ++i) state.at(i) += after.at(i);
}

// 5.1.1: what is left of the data, a bit, and the length in bits at the end of a block.
std::string padded_tail(std::string_view data) {
  std::string tail(data.substr(data.size() - data.size() % kHashBlock));
  tail += '\x80';
  while (tail.size() % kHashBlock != kHashBlock - kLengthSize) tail += '\0';
  const uint64_t bits = uint64_t{8} * data.size();
  for (size_t i = kLengthSize; i-- > 0;) tail += static_cast<char>((bits >> (8 * i)) & 0xFFU);
  return tail;
}

void add_blocks(State& state, std::string_view data) {
  for (; data.size() >= kHashBlock; data.remove_prefix(kHashBlock)) add_block(state, data.substr(0, kHashBlock));
}

}  // namespace

std::string sha256(std::string_view data) {
  static constexpr char kHex[] = "0123456789abcdef";
  State state = kStart;
  add_blocks(state, data);
  add_blocks(state, padded_tail(data));
  std::string out;
  for (const uint32_t word : state) {
    for (int shift = 28; shift >= 0; shift -= 4) out += kHex[(word >> static_cast<unsigned>(shift)) & 15U];
  }
  return out;
}

}  // namespace cnio::cnioctl
