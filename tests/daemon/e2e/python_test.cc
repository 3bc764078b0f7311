// Goal: the Python example works, and resumes.
// Method: Debian's interpreter runs it twice against the real daemon. Skipped where grpcio is
// not installed.

#include <gtest/gtest.h>

#include "tests/daemon/e2e/process.h"

namespace tally::e2e {
namespace {

constexpr char kPython[] = "/usr/bin/python3";

TEST(PythonTest, TheExampleTeachesAModelAndFindsItTaughtTheSecondTime) {
  Daemon daemon;
  const std::string err = daemon.File("err");
  if (WaitFor(Spawn({kPython, "-c", "import grpc"}, err, err)) != 0) {
    GTEST_SKIP() << kPython << " has no grpcio (Debian: python3-grpcio)";
  }
  daemon.Start();
  std::string digest;
  for (const std::string expected : {"has 0 of 4000", "has 4000 of 4000"}) {
    const std::string out = daemon.File("out " + expected);
    const pid_t example =
        Spawn({"/usr/bin/env", std::string("PYTHONPATH=") + PYTHON_STUBS,
               "PYTHONDONTWRITEBYTECODE=1", kPython, PYTHON_EXAMPLE, "--server", daemon.address()},
              out, out);
    EXPECT_EQ(WaitFor(example), 0) << ReadFile(out) << daemon.log();
    const std::string text = ReadFile(out);
    EXPECT_NE(text.find(expected), std::string::npos) << text;
    const size_t at = text.find("digest ");
    ASSERT_NE(at, std::string::npos) << text;
    if (digest.empty()) digest = text.substr(at);
    EXPECT_EQ(text.substr(at), digest);
  }
  EXPECT_EQ(daemon.client().Get("quarters")->prequential().seen(), 4000u);
}

}  // namespace
}  // namespace tally::e2e
