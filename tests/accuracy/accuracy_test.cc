// Goal: the algorithm is PocketNN and nothing else, and the networks of the zoo are as good as the
// paper says. Method: `tally fit` itself, in this process. The reference profile must repeat the
// published program's run to the digit. Each network must have a golden digest after one epoch (any
// change of any bit shows), and with TALLY_LONG=1 the paper's accuracy at the last epoch of its
// documented schedule.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/client/cli/run_tally.h"

namespace tally::cli {
namespace {

// The folder of a data set, or "" if it is not there.
std::string DataFolder(const std::string& name) {
  const char* const root = std::getenv("TALLY_DATA_DIR");
  if (root == nullptr) return "";
  const std::string folder = std::string(root) + "/" + name;
  return std::filesystem::is_directory(folder) ? folder : "";
}

std::string SkipReason(const std::string& name) {
  return name + " is not in TALLY_DATA_DIR; set it to the folder that holds " + name + "/";
}

uint64_t NumberAfter(const std::string& json, const std::string& key) {
  const size_t at = json.find("\"" + key + "\":");
  return at == std::string::npos ? 0 : std::stoull(json.substr(at + key.size() + 3));
}

std::string DigestIn(const std::string& json) {
  const size_t at = json.find("\"digest\":\"");
  return at == std::string::npos ? "" : json.substr(at + 10, 64);
}

TEST(ReferenceProfileTest, RepeatsThePublishedRunToTheDigit) {
  const std::string data = DataFolder("mnist");
  if (data.empty()) GTEST_SKIP() << SkipReason("mnist");
  const RunResult result = RunTally({"fit", "pocketnn/reference-mnist", "--data", data, "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(
      result.LastLine().find(
          "\"epochs\":[{\"train_loss\":1070190,\"train_correct\":54667,\"test_correct\":9484},"
          "{\"train_loss\":597476,\"train_correct\":57266,\"test_correct\":9584},"
          "{\"train_loss\":489390,\"train_correct\":57843,\"test_correct\":9643}]"),
      std::string::npos)
      << result.LastLine();
}

struct ZooCase {
  const char* name;
  const char* network;
  const char* data;
  const char* digest_after_one_epoch;
  const char* digest_after_the_schedule;
  uint64_t test_correct_at_least;  // at the last epoch of the schedule
  uint64_t test_total = 10000;
};

void PrintTo(const ZooCase& zoo, std::ostream* out) { *out << zoo.network; }

class ZooTest : public testing::TestWithParam<ZooCase> {};

TEST_P(ZooTest, HasItsGoldenDigestAfterOneEpoch) {
  const std::string data = DataFolder(GetParam().data);
  if (data.empty()) GTEST_SKIP() << SkipReason(GetParam().data);
  const RunResult result =
      RunTally({"fit", GetParam().network, "--data", data, "--epochs", "1", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(DigestIn(result.LastLine()), GetParam().digest_after_one_epoch) << result.LastLine();
}

TEST_P(ZooTest, ReachesItsAccuracyAtTheLastEpochOfItsSchedule) {
  const std::string data = DataFolder(GetParam().data);
  if (data.empty()) GTEST_SKIP() << SkipReason(GetParam().data);
  if (std::getenv("TALLY_LONG") == nullptr) GTEST_SKIP() << "takes minutes; set TALLY_LONG=1";
  const RunResult result = RunTally({"fit", GetParam().network, "--data", data, "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(NumberAfter(result.LastLine(), "test_total"), GetParam().test_total);
  EXPECT_GE(NumberAfter(result.LastLine(), "test_correct"), GetParam().test_correct_at_least)
      << result.LastLine();
  EXPECT_EQ(DigestIn(result.LastLine()), GetParam().digest_after_the_schedule);
}

// PocketNN's have to reach the paper's accuracy, NITI's the goals of tables.py.
constexpr ZooCase kNetworks[] = {
    {"MnistMlp", "pocketnn/mnist-mlp", "mnist",
     "4bdc2f14ca6be86d9ac55c1d8515b394c8344b327899ef276e7eef5b421f0c7a",
     "7dc82a5827202d9061d13e1341d61e9a6dc5a510a5e738e1406b06aad0d20a13", 9698},
    {"FashionMlp", "pocketnn/fashion-mlp", "fashion-mnist",
     "1d8948e7885ebe13f251d2cf56f82ed168c7272b16e1434f1458fee87c9f580f",
     "c3ca6d277d1a41899c08eeab372bc2f4c5d41de996abfd5f584ed4c3236a303f", 8770},
    {"NitiMnistMlp", "niti/mnist-mlp", "mnist",
     "f9a348cbdb1a986281e8cf84dfca701e82df704df7800f24cc535e8a62105686",
     "b5c436a5adda7be9cf33817901451a995c989b703a77e585926f80e5d86a65e4", 9740},
    {"NitiFashionMlp", "niti/fashion-mlp", "fashion-mnist",
     "ff3c7c6989b9e9e8f778f9590fa81acf765db0d6b2b3859d00b9b4dafca95308",
     "87cbf56cfe9a3a12fe21358e74b721ac627fe58e492dcc986894374d539a96e5", 8800},
    {"NitiHarConv", "niti/har-conv", "uci-har",
     "bb8a87e290513e0e0f4fe1678296c3df1092959d540f8cac9e99d0e399323814",
     "20ac6f0b2226ff4a2706e6e49c5be3cd5a53b02ed643fabcb5e50b234d644b97", 546, 627},
};

INSTANTIATE_TEST_SUITE_P(Networks, ZooTest, testing::ValuesIn(kNetworks),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace tally::cli
