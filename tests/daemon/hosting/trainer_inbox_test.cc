// Goal: the trainer is woken for what is worth it, and who waits for room hears of it.
// Method: an inbox with one taker in a thread of its own; what must not happen is looked for on the
// same thread, without sleeping.

#include "daemon/hosting/trainer_inbox.h"

#include <gtest/gtest.h>

#include <thread>

#include "daemon/storage/clock.h"

namespace tally::hosting {
namespace {

TrainerInbox::Entry Samples(size_t bytes) {
  storage::SamplesRecord samples{"a", 1, std::string(bytes, 'x'), {}};
  return {{1, std::move(samples), 1}, nullptr};
}

TrainerInbox::Entry Flush() { return {{2, storage::FlushRecord(), 1}, nullptr}; }

class TrainerInboxTest : public ::testing::Test {
 protected:
  size_t TakeAll() {
    size_t taken = 0;
    while (inbox_.TakeEntry()) ++taken;
    return taken;
  }
  TrainerInbox inbox_{storage::SystemClock(), 1000};
};

TEST_F(TrainerInboxTest, AFewSamplesWakeTheTakerSoonAndManyOrAFlushAtOnce) {
  for (const bool company : {false, true}) {
    size_t taken = 0;
    std::thread taker([&] {
      inbox_.Wait(kNoDeadline);
      taken = TakeAll();
    });
    inbox_.Push(Samples(10));
    if (company) inbox_.Push(Flush());
    taker.join();
    EXPECT_GE(taken, 1u);
    TakeAll();
  }
}

TEST_F(TrainerInboxTest, WaitReturnsForACommandAPokeAndAStopBesideAFewSamples) {
  inbox_.Push(Samples(10));
  inbox_.Post({false, [] {}, [](const absl::Status&) {}});
  inbox_.Wait(kNoDeadline);
  ASSERT_TRUE(inbox_.TakeCommand(true).has_value());
  inbox_.Poke();
  inbox_.Wait(kNoDeadline);
  inbox_.Stop(absl::UnavailableError("over"));
  inbox_.Wait(kNoDeadline);
  EXPECT_EQ(TakeAll(), 0u) << "a stop drops what waits";
}

TEST_F(TrainerInboxTest, ReliefComesOnceWhenHalfOfAQueueThatWasTooFullIsFree) {
  inbox_.Push(Samples(400));
  inbox_.Push(Samples(300));
  inbox_.Push(Samples(300));
  EXPECT_FALSE(inbox_.TakeRelief()) << "nobody wants room";
  EXPECT_FALSE(inbox_.HasRoom(1));
  EXPECT_FALSE(inbox_.TakeRelief());
  ASSERT_TRUE(inbox_.TakeEntry().has_value());
  EXPECT_FALSE(inbox_.TakeRelief()) << "600 of 1000 bytes";
  ASSERT_TRUE(inbox_.TakeEntry().has_value());
  EXPECT_TRUE(inbox_.TakeRelief());
  EXPECT_FALSE(inbox_.TakeRelief());
  EXPECT_TRUE(inbox_.HasRoom(700));
}

TEST_F(TrainerInboxTest, APacketLargerThanTheQueueHearsWhenHalfOfItIsFree) {
  inbox_.Push(Samples(100));
  inbox_.Push(Samples(450));
  EXPECT_FALSE(inbox_.HasRoom(5000));
  EXPECT_FALSE(inbox_.HasRoom(501));
  EXPECT_TRUE(inbox_.HasRoom(450));
  EXPECT_FALSE(inbox_.HasRoom(451));
  ASSERT_TRUE(inbox_.TakeEntry().has_value());
  EXPECT_TRUE(inbox_.TakeRelief());
  EXPECT_TRUE(inbox_.HasRoom(5000));
  EXPECT_TRUE(inbox_.HasRoom(551));
  inbox_.Push(Samples(5000));
  EXPECT_FALSE(inbox_.HasRoom(1)) << "beyond the queue's size";
}

}  // namespace
}  // namespace tally::hosting
