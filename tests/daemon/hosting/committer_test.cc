// Goal: one sync serves everything appended before it, and nobody waits longer than promised.
// Method: a committer around a sync that the test holds, on a clock that the test moves.

#include "daemon/hosting/committer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/manual_clock.h"

namespace tally::hosting {
namespace {

// Stands for Journal::Sync: counts, and can be held.
class HeldSync {
 public:
  bool Run() {
    MutexLock lock(mutex_);
    ++begun_;
    changed_.NotifyAll();
    while (held_) changed_.Wait(mutex_);
    return succeed_;
  }
  void Hold(bool held) {
    MutexLock lock(mutex_);
    held_ = held;
    changed_.NotifyAll();
  }
  void FailNext() {
    MutexLock lock(mutex_);
    succeed_ = false;
  }
  void WaitBegun(int count) {
    MutexLock lock(mutex_);
    while (begun_ < count) changed_.Wait(mutex_);
  }
  int begun() {
    MutexLock lock(mutex_);
    return begun_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int begun_ = 0;
  bool held_ = false;
  bool succeed_ = true;
};

class CommitterTest : public ::testing::Test {
 protected:
  ~CommitterTest() override { sync_.Hold(false); }
  storage::ManualClock clock_;
  HeldSync sync_;
};

TEST_F(CommitterTest, SyncsWhenAsked) {
  Committer committer(clock_, 0, [this] { return sync_.Run(); });
  committer.Start();
  committer.NoteAppended();
  committer.Request();
  sync_.WaitBegun(1);
}

TEST_F(CommitterTest, ServesAllRequestsOfOneSyncWithTheNextOne) {
  Committer committer(clock_, 0, [this] { return sync_.Run(); });
  committer.Start();
  sync_.Hold(true);
  committer.Request();
  sync_.WaitBegun(1);
  for (int i = 0; i < 100; ++i) {
    committer.NoteAppended();
    committer.Request();
  }
  sync_.Hold(false);
  sync_.WaitBegun(2);
  committer.Stop();
  EXPECT_EQ(sync_.begun(), 2);
}

TEST_F(CommitterTest, ARequestThatCanWaitIsServedInItsTimeAndSharesItsSync) {
  Committer committer(clock_, 0, [this] { return sync_.Run(); });
  committer.Start();
  committer.NoteAppended();
  committer.RequestWithin(4);
  clock_.SleepMs(3);
  committer.RequestWithin(4);  // does not put off the first one
  clock_.SleepMs(1);
  sync_.WaitBegun(1);
  committer.Stop();
  EXPECT_EQ(sync_.begun(), 1);
}

TEST_F(CommitterTest, ARequestForNowDoesNotWaitForOneThatCan) {
  Committer committer(clock_, 0, [this] { return sync_.Run(); });
  committer.Start();
  committer.RequestWithin(4);
  committer.Request();
  sync_.WaitBegun(1);
}

TEST_F(CommitterTest, SyncsWhatNobodyAskedForWithinASecond) {
  Committer committer(clock_, 0, [this] { return sync_.Run(); });
  committer.Start();
  committer.NoteAppended();
  clock_.SleepMs(Committer::kUnaskedMs);
  sync_.WaitBegun(1);
}

TEST_F(CommitterTest, DoesNotSyncWhatNobodyAskedForBeforeItsTime) {
  Committer committer(clock_, 0, [this] { return sync_.Run(); });
  committer.Start();
  committer.NoteAppended();
  clock_.SleepMs(Committer::kUnaskedMs - 1);
  committer.Stop();
  EXPECT_EQ(sync_.begun(), 0);
}

TEST_F(CommitterTest, KeepsTheIntervalBetweenTwoSyncs) {
  Committer committer(clock_, 50, [this] { return sync_.Run(); });
  committer.Start();
  committer.Request();
  sync_.WaitBegun(1);  // the first one need not wait
  committer.Request();
  clock_.SleepMs(50);
  sync_.WaitBegun(2);
  committer.Request();
  committer.Stop();
  EXPECT_EQ(sync_.begun(), 2);  // the third one's time had not come
}

TEST_F(CommitterTest, EndsAfterAFailedSync) {
  Committer committer(clock_, 0, [this] { return sync_.Run(); });
  committer.Start();
  sync_.FailNext();
  committer.Request();
  sync_.WaitBegun(1);
  committer.Request();
  committer.Stop();
  EXPECT_EQ(sync_.begun(), 1);
}

}  // namespace
}  // namespace tally::hosting
