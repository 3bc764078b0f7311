// Goal: a trail has the chain's head at every segment's end, wherever mini-batches begin and end.
// Method: records in hand-made segments, passed in parts; heads by NextChainHead over whole
// records.

#include "daemon/hosting/audit_trail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/tiny_model.h"

namespace tally::hosting {
namespace {

using storage::GenesisChainHead;
using storage::NextChainHead;
using storage::Record;
using storage::SegmentEnd;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::TinyPacket;

// Positions 1 to 5 and 6 in segment 1, 7 to 9 in segment 7, 10 in segment 10.
const Record kFirst = {1, TinyPacket("a", 1, 5), 1};
const Record kFlush = {6, storage::FlushRecord{}, 1};
const Record kSecond = {7, TinyPacket("a", 6, 3), 7};
const Record kThird = {10, storage::FlushRecord{}, 10};

TEST(AuditTrailTest, NotesAnEndWhenTheNextSegmentIsEntered) {
  AuditTrail trail(GenesisChainHead(), 0);
  trail.Pass(kFirst, 1, 4);
  trail.Pass(kFirst, 5, 5);
  trail.Pass(kFlush);
  EXPECT_THAT(trail.TakeEnds(), IsEmpty());
  const std::string one = NextChainHead(NextChainHead(GenesisChainHead(), kFirst), kFlush);
  EXPECT_EQ(trail.head(), one);
  trail.Pass(kSecond, 7, 7);
  EXPECT_THAT(trail.TakeEnds(), ElementsAre(SegmentEnd{1, 6, one}));
  trail.Pass(kSecond, 8, 9);
  EXPECT_THAT(trail.TakeEnds(), IsEmpty()) << "taken once";
  trail.Pass(kThird);
  EXPECT_THAT(trail.TakeEnds(), ElementsAre(SegmentEnd{7, 9, NextChainHead(one, kSecond)}));
}

TEST(AuditTrailTest, GoesOnInTheMiddleOfASegmentOrExactlyAtItsEnd) {
  const std::string one = NextChainHead(NextChainHead(GenesisChainHead(), kFirst), kFlush);
  AuditTrail middle(NextChainHead(GenesisChainHead(), kFirst, 0, 3), 1);
  middle.Pass(kFirst, 4);
  middle.Pass(kFlush);
  middle.Pass(kSecond);
  EXPECT_THAT(middle.TakeEnds(), ElementsAre(SegmentEnd{1, 6, one}));
  AuditTrail end(one, 1);
  end.Pass(kSecond, 7, 8);
  EXPECT_THAT(end.TakeEnds(), ElementsAre(SegmentEnd{1, 6, one}));
}

TEST(AuditTrailTest, NotesNoEndOfASegmentThatIsGone) {
  AuditTrail trail(GenesisChainHead(), 0);
  trail.Pass(kSecond);
  EXPECT_THAT(trail.TakeEnds(), IsEmpty());
}

TEST(AuditTrailTest, NotesSeveralEndsBetweenTwoCalls) {
  AuditTrail trail(GenesisChainHead(), 0);
  for (const Record& record : {kFirst, kFlush, kSecond, kThird}) trail.Pass(record);
  const std::string one = NextChainHead(NextChainHead(GenesisChainHead(), kFirst), kFlush);
  EXPECT_THAT(trail.TakeEnds(),
              ElementsAre(SegmentEnd{1, 6, one}, SegmentEnd{7, 9, NextChainHead(one, kSecond)}));
}

}  // namespace
}  // namespace tally::hosting
