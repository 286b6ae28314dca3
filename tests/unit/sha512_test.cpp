// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/sha512.hpp"

#include <gtest/gtest.h>

namespace cnio {
namespace {

// The examples of FIPS 180-4 (NIST, "SHA512.pdf") and of RFC 6234.
TEST(Sha512, PublishedVectors) {
  EXPECT_EQ(sha512_hex("abc", 128),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
  EXPECT_EQ(sha512_hex("", 128),
            "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
            "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e");
  EXPECT_EQ(sha512_hex("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                       "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
                       128),
            "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
            "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909");
  EXPECT_EQ(sha512_hex(std::string(1'000'000, 'a'), 128),
            "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
            "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b");
}

struct Vector {
  size_t length;
  std::string_view digest;
};

// Computed by another implementation; around 112 and 128 bytes the padding needs one more block.
constexpr Vector kLengths[] = {
    {0, "cf83e1357eefb8bdf1542850d66d8007"},    {1, "7b54b66836c1fbdd13d2441d9e1434dc"},
    {55, "df3185830724d08f9e09b9fdf9d3d10a"},   {56, "d0f1aed94332efa5639957d97d9a8e32"},
    {64, "61fe5b07f18f84c99cdc1c47a35b06e5"},   {110, "026c3be8dada4a342d536b887b21f3b3"},
    {111, "a1954c0d7783ec96f5c6c98500f3b1c7"},  {112, "8b86de42105c9f404d924fd0d6586c05"},
    {113, "c5e30e37a8b6c76e63f781a59a5d8a9a"},  {114, "d0c09f476e410f63801fcf2313661c08"},
    {115, "16d724938325374f0681a7d5ac045b16"},  {116, "de8633d2ae0c2159ea48ef70c7d8f2da"},
    {117, "ebd8d783d7625624eeb5e549e5d6aad8"},  {118, "ef4e2d035d2db2209230e0596fa8db39"},
    {119, "62637cd985654b95ca6f5034aa70b5be"},  {120, "db4fa2fea1f8137eccb6a4d40c3b9946"},
    {121, "f809cab8d34353142cc193f6352c5b4e"},  {122, "aad65ee94bb7b4d77925bbf303964156"},
    {123, "5632b0524ec1f9698d3dc5b5613786a2"},  {124, "0dcdf86390119558f516f1c79cda7c41"},
    {125, "34e17cdd1d34571b834eab3a55c0bd66"},  {126, "eafced0cd4921610da801a6910b296c2"},
    {127, "ce36abda2e8f4351e53158bae652968d"},  {128, "75c0103fe76fbddfe44f5ddbfd09beed"},
    {129, "84dc1ebf8f8cec5e5f0e0f93ac5751b5"},  {130, "b8d81b242bc29de4a7692b15aa208e57"},
    {239, "583ca79bef9e6000d121caf1fb3d81e6"},  {240, "b6641ca0156ee5dc3d11d4759d87cfc2"},
    {241, "4b5e8b22bef74c1aa61a39f6b608a04f"},  {255, "438c2641e850285d6ffe86899e797912"},
    {256, "e3ef49e1f14dc5782639d237adecd963"},  {257, "5a9ed9902626f566b189ad4e41a1663f"},
    {1000, "4ef789652c0eab8b3094e82315fb3bc2"},
};

TEST(Sha512, EveryLengthAroundABlock) {
  for (const auto& [length, digest] : kLengths) {
    std::string data;
    for (size_t i = 0; i < length; ++i) data += static_cast<char>((i * 7 + length) % 251);
    EXPECT_EQ(sha512_hex(data, 32), digest) << length;
  }
}

TEST(Sha512, IsCutToTheWantedDigits) {
  // The chain name that the reference gives network "n" and container "c1".
  EXPECT_EQ(sha512_hex("nc1", 24), "9b00b9b7c2795a8a61a6eec1");
  EXPECT_EQ(sha512_hex("nc1", 1), "9");
  EXPECT_EQ(sha512_hex("nc1", 128).size(), 128U);
}

}  // namespace
}  // namespace cnio
