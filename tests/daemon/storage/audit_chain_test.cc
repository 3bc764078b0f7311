// Goal: the audit chain says which samples were learnt, in which order, and nothing about packets.
// Method: links computed by hand from the format with an independent SHA-256 call; splits; every
// field.

#include "daemon/storage/audit_chain.h"

#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <set>

#include "daemon/storage/hex.h"
#include "tests/daemon/storage/journal_fixture.h"

namespace tally::storage {
namespace {

std::string Sha256(const std::string& bytes) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

TEST(AuditChainTest, LinksAreAsTheFormatSays) {
  using namespace std::string_literals;
  const Record record{.first_position = 258, .body = SamplesRecord{"ab", 7, "xyXY", {3, 65536}}};
  const std::string first = Sha256(std::string(32, '\0') + "\2\1\0\0\0\0\0\0"s + "\1"s + "\2ab"s +
                                   "\7\0\0\0\0\0\0\0"s + "\3\0\0\0"s + "xy");
  const std::string second = Sha256(first + "\3\1\0\0\0\0\0\0"s + "\1"s + "\2ab"s +
                                    "\10\0\0\0\0\0\0\0"s + "\0\0\1\0"s + "XY");
  EXPECT_EQ(NextChainHead(GenesisChainHead(), record), ToHex(second));
  EXPECT_EQ(NextChainHead(GenesisChainHead(), {9, FlushRecord()}),
            ToHex(Sha256(std::string(32, '\0') + "\11\0\0\0\0\0\0\0\2"s)));
  EXPECT_EQ(NextChainHead(GenesisChainHead(), {9, DigestRecord{5, DigestOf('1')}}),
            ToHex(Sha256(std::string(32, '\0') + "\11\0\0\0\0\0\0\0\3"s + "\5\0\0\0\0\0\0\0"s +
                         std::string(32, '\x11'))));
  EXPECT_EQ(NextChainHead(GenesisChainHead(), {9, RollbackRecord{5, DigestOf('1')}}),
            ToHex(Sha256(std::string(32, '\0') + "\11\0\0\0\0\0\0\0\4"s + "\5\0\0\0\0\0\0\0"s +
                         std::string(32, '\x11'))));
}

TEST(AuditChainTest, PacketsDoNotMatter) {
  const Record whole{10, Samples("s", 1, 6, 5)};
  const std::string head = NextChainHead(GenesisChainHead(), whole);
  const SamplesRecord all = std::get<SamplesRecord>(whole.body);
  for (size_t cut = 1; cut < 6; ++cut) {
    SamplesRecord left = all;
    left.labels.resize(cut);
    left.rows.resize(5 * cut);
    SamplesRecord right = all;
    right.first_sequence += cut;
    right.labels.erase(right.labels.begin(), right.labels.begin() + static_cast<long>(cut));
    right.rows.erase(0, 5 * cut);
    EXPECT_EQ(NextChainHead(NextChainHead(GenesisChainHead(), {10, left}), {10 + cut, right}),
              head);
  }
}

TEST(AuditChainTest, ARecordMayBeEnteredAndLeftInTheMiddle) {
  const Record whole{10, Samples("s", 1, 6, 5)};
  const std::string head = NextChainHead(GenesisChainHead(), whole);
  for (uint64_t cut = 9; cut <= 15; ++cut) {
    const std::string before = NextChainHead(GenesisChainHead(), whole, 0, cut);
    EXPECT_EQ(NextChainHead(before, whole, cut + 1), head) << cut;
  }
  EXPECT_EQ(NextChainHead(DigestOf('7'), whole, 16), DigestOf('7')) << "nothing in the range";
}

TEST(AuditChainTest, EveryFieldMatters) {
  const SamplesRecord base = Samples("s", 1, 2, 3);
  std::set<std::string> heads;
  const auto add = [&heads](const Record& record) {
    EXPECT_TRUE(heads.insert(NextChainHead(GenesisChainHead(), record)).second) << Describe(record);
  };
  add({1, base});
  add({2, base});
  SamplesRecord changed = base;
  changed.source = "t";
  add({1, changed});
  changed = base;
  changed.first_sequence = 2;
  add({1, changed});
  changed = base;
  changed.labels[1] ^= 1u << 31;
  add({1, changed});
  changed = base;
  changed.rows[5] ^= 1;
  add({1, changed});
  changed = base;
  std::swap(changed.rows[0], changed.rows[3]);
  add({1, changed});
  EXPECT_NE(NextChainHead(DigestOf('1'), {1, base}), NextChainHead(DigestOf('2'), {1, base}));
}

}  // namespace
}  // namespace tally::storage
