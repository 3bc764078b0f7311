// Golden values of NITI on MNIST, integers only: two implementations that share no code agree on
// every byte. The learner and the oracle are both held against this table.
//
// Profile "golden": mini-batch b = 1, 2, ... holds training images 64 (b - 1) to 64 b - 1 in file
// order; mu = 2 unless said otherwise. Layers are numbered from 1, those with weights only.

#ifndef TALLY_TESTS_CORE_ORACLE_NITI_GOLDEN_H_
#define TALLY_TESTS_CORE_ORACLE_NITI_GOLDEN_H_

#include <cstddef>
#include <cstdint>

namespace tally::oracle {

inline constexpr size_t kGoldenBatch = 64;

// After `steps` mini-batches; the digest is SHA-256 over the int8 weights, [out][in] or
// [out][kernel row][kernel column][in].
struct GoldenState {
  int64_t steps;
  size_t layer;
  int64_t exponent;
  int64_t sum;
  int64_t magnitude_sum;
  int64_t magnitude_max;
  const char* sha256;
};

// After 10 mini-batches with another mu from the start.
struct GoldenRate {
  int64_t mu;
  size_t layer;
  int64_t sum;
  int64_t magnitude_sum;
  int64_t magnitude_max;
  const char* sha256;
};

inline constexpr int64_t kNone = -1;

// Inside mini-batch `step` (from 1).
struct GoldenTrace {
  int64_t step;
  size_t layer;
  int64_t max_accumulator;
  int64_t forward_shift;
  int64_t exponent;     // of the output
  int64_t error_shift;  // of the error of the layer's input; kNone for the first layer
  int64_t max_gradient;
  int64_t range;
};

// Logits and loss errors e of mini-batch `step`, int8 [64][10].
struct GoldenLoss {
  int64_t step;
  int64_t logits_sum;
  int64_t logits_magnitude_sum;
  const char* logits_sha256;
  int64_t errors_sum;
  int64_t errors_magnitude_sum;
  const char* errors_sha256;
};

// Of one of the first 4 test images, all four as one batch, after 100 mini-batches.
struct GoldenLogits {
  uint32_t label;
  int64_t logits[10];
};

// Right predictions of mini-batches 1 to `steps`, each before its update.
struct GoldenCorrect {
  int64_t steps;
  int64_t correct;
};

inline constexpr GoldenState kMlpStates[] = {
    {0, 1, -10, -4526, 5021422, 127,
     "10b4412615df3db99c13488ccbfacc1754196a988e85cbe3dcf26dccf3a4a786"},
    {0, 2, -9, -3208, 320970, 127,
     "cfc87b9175d35f332b8d739e435557d3cfaa4f03d581f0eddad19b48a9498bc1"},
    {0, 3, -8, -1125, 31017, 127,
     "093c475ab9a7431f93d8e79539175176280debe30a5d41154587ad060b480b88"},
    {1, 1, -10, -3433, 5020797, 127,
     "14d4a19861ffe7de634c6b28254cb1957d0fb27a6c89b809f7b0a7fe0c09727d"},
    {1, 2, -9, -3778, 320868, 127,
     "232c49998819c4c8611e0f427ab9ae5e4191b090b22635478ee3e9733719f0de"},
    {1, 3, -8, -1129, 30995, 127,
     "1d561708a4eb2ad08ae57a122cd0ae4967499ceb2302eb967eecda7401cad5ff"},
    {2, 1, -10, -3391, 5020525, 127,
     "66b60236d39745d37a523a3bb22e1cec172d17f9c9d94a436ae411ddb1cb2497"},
    {2, 2, -9, -4167, 320803, 127,
     "3568a6c55d360fc7899d04cddc4a556c3894fa766b89d2733bdd94b2fb6f733a"},
    {2, 3, -8, -1128, 30962, 127,
     "d7e2ff393a573d9e209173c3722cf9550be50a7ac5e89f880278808edd1242e2"},
    {10, 1, -10, -3890, 5018036, 127,
     "b7b8e7f6f37960cc731a6cb70c0011820fc49bc34007f9108ee3301769a19140"},
    {10, 2, -9, -6006, 320558, 127,
     "b66064c066f542e4e0f8ef45610fe85c54b3eef7267e8ebc5a42023a5568d8ce"},
    {10, 3, -8, -1123, 30759, 127,
     "4a95e2f1d481de12af991f785b4b627b875e4898fbf3c042fdfc7ecbdebad5ca"},
    {100, 1, -10, -23943, 5012397, 127,
     "4b7427de2a6c8e1f9b5d108c8884a8beb96c3a8098ebb62b481d7a6e7009d58b"},
    {100, 2, -9, -3019, 321035, 127,
     "7e6ce6124e8d9b1f61cf1c5f1606da3653417c94697e009a3299cb74bdd07d6b"},
    {100, 3, -8, -964, 31050, 127,
     "eb3c5bb0b9ecc6974322a9d9c35c0ad9d19eb54d52326b3d34de30515a3e9b6a"},
};

inline constexpr GoldenState kLenetStates[] = {
    {0, 1, -10, 2503, 32807, 127,
     "96bf5379472373381c1a09a8ec95974a0b2fb8f27c26fed6c0996cd35d807586"},
    {0, 2, -11, -12130, 1600450, 127,
     "e4055f9c95e9e017ccd6ced8b56d7cde087d492d5243a550d8b5c2d91d3148d2"},
    {0, 3, -10, -255006, 25566762, 127,
     "dfa5ca7d0429480dcbaf4af6b927d682180b78b4b1e9e399f3750056329f2827"},
    {0, 4, -10, -1634, 319620, 127,
     "c994bf4cdaea8b713a8158d155bc4e55ca827a152f26c90fadf1a993b0e0773f"},
    {1, 1, -10, 2396, 32736, 127,
     "28acbe1b8dff1b90fd2ff79bb3c9505b1981da3fcd44c0688534782382e6375b"},
    {1, 2, -11, -13498, 1600344, 127,
     "6d73001fe04c6c4d8879d565ce5d3070e7e7bf70646ca130536358ee547fb901"},
    {1, 3, -10, -262784, 25566256, 127,
     "f8655ac7259d78e5086c6c40d3a8ac104f6780c1adb8be2e473b71af99d23e9d"},
    {1, 4, -10, -1590, 319576, 127,
     "b2a698049142233c73b2029629076ce8f2fab3c644343814f5105cc15556bbd5"},
    {2, 1, -10, 2447, 32769, 127,
     "9e674c9ef774df8a5f9655bacc8fe4e4943776bfa565393cac9827dc42845be8"},
    {2, 2, -11, -12894, 1600366, 127,
     "a48c2e87dc79d50e66ba4abf69284f723d0cb45d69b8326bf090c7fe0cec4c69"},
    {2, 3, -10, -260569, 25566231, 127,
     "03b432a51f2ed69540a2999612508cfd2600591fe7d5e98a54ff51a4251dd760"},
    {2, 4, -10, -1583, 319585, 127,
     "43b33d549c8855698868e704c36276256d12293f200fdf057261d8157551f422"},
    {10, 1, -10, 3605, 33323, 127,
     "a34acf6cba1b08427915a79f9f2b8bab5c2c7e27bd9102665c9142a500bd8cb3"},
    {10, 2, -11, -437, 1602387, 127,
     "f46b32a7993d84d1b53ffecb5033bd97999f5b39aeffd06dd34dc326b218e559"},
    {10, 3, -10, -234934, 25567304, 127,
     "9ed92d8aaeca7c4c27b8da24bc2f7754530de4a743916433a19a48325db48ce8"},
    {10, 4, -10, -1365, 320237, 127,
     "3901695b5f7a2db29e8c460359425bd53373c0a165edc86e18e7ab88a51112cf"},
    {100, 1, -10, 8255, 36353, 127,
     "ff4bf0a8618af2421d1107ebc8228cfa87488c9f61303a0a663ee95d2f759964"},
    {100, 2, -11, 8069, 1609035, 127,
     "6de7fa0de4a5057c6a4564b40800e413fbdf099c5fcc154613873d6bb85866cf"},
    {100, 3, -10, -202345, 25576137, 127,
     "4b4f652d89c2e5fea29534aeca969a7a33a2ba59fa7e6fb41bcaf0ff106ac5c1"},
    {100, 4, -10, -516, 322678, 127,
     "229406fa8e2d19834a7b9b7e97e65748de8a18d6f3a76455c26ca2f63949f962"},
};

inline constexpr GoldenRate kMlpRates[] = {
    {7, 1, 194234, 5026526, 127,
     "8a751b159f7ebb2c4d41cb926c1625bd3a387fd727f5d207ba6b9a76dda03099"},
    {7, 2, -39415, 316225, 127, "217c9717fedeb5fa8595ef2a392a3fda27ff12ea6c3d2b51ab5fa773c0ee176d"},
    {7, 3, -1133, 28979, 127, "bb67334730c342bbfba8f712f768541206a3565efdcbc979303e953018683ddf"},
    {1, 1, 4435, 5019523, 127, "b87e77b847671f83d09c74eb3ef66bf7e60e6bf915d95c732fd84354bc2cfbff"},
    {1, 2, -5111, 320613, 127, "4373e97bd97c1e39a669b3da463c2beb452e89642a0ee55eb4f768b90f14cdeb"},
    {1, 3, -1130, 30818, 127, "cf526e451c59b03ba6e2f51c533eb5e3a2b3bf3e10b017e2fa085f7b0be0754b"},
    {0, 1, -515, 5020319, 127, "e683a257e4e206d2901280973bd756d381c78dd7a2f2163175e978d362aa7928"},
    {0, 2, -4378, 320744, 127, "f5f547bdfca016f87b250dd10c6869b8a16132eaa6fd857db9f196eafa78ea9c"},
    {0, 3, -1139, 30905, 127, "a477e084b6486352a754ff52a55458592a4eea131375ebe26d6b9992bedf5bea"},
    {-1, 1, -3141, 5021033, 127,
     "c2797bea7dd5fbcfbd4b03b368b9aabdf6693480919448ddcc545616e490a679"},
    {-1, 2, -3890, 320898, 127, "64ee6d2f2083b9018fa95cb543554a5a999037d880b1125665f1d4d6f16fe5c2"},
    {-1, 3, -1137, 30961, 127, "9318176a65cc1f063f5e1009de8bf3977b875f4648e4948ed12eb5b62ff424cc"},
};

inline constexpr GoldenTrace kMlpTraces[] = {
    {1, 1, 434857, 12, -4, kNone, 105498, 17}, {1, 2, 56566, 9, -4, 10, 113890, 17},
    {1, 3, 40258, 9, -3, 8, 134847, 18},       {2, 1, 464764, 12, -4, kNone, 148383, 18},
    {2, 2, 68292, 10, -3, 9, 73748, 17},       {2, 3, 18645, 8, -3, 8, 38256, 16},
};

inline constexpr GoldenTrace kLenetTraces[] = {
    {1, 1, 148915, 11, -5, kNone, 381181, 19}, {1, 2, 157101, 11, -5, 10, 57818, 16},
    {1, 3, 114151, 10, -5, 11, 30178, 15},     {1, 4, 68773, 10, -5, 8, 40922, 16},
    {2, 1, 143601, 11, -5, kNone, 394855, 19}, {2, 2, 152079, 11, -5, 10, 89669, 17},
    {2, 3, 113322, 10, -5, 11, 33241, 16},     {2, 4, 54413, 9, -6, 8, 48975, 16},
};

inline constexpr GoldenLoss kMlpLosses[] = {
    {1, -6337, 12109, "ef76d3dffd529b2299054a442896a1166302e00861d5184585187e5522693440", -18,
     14828, "54892ebe63ab7588518a364d581f5ef5640bf7a8135b5009e389eb0b2a29e378"},
    {2, -6081, 10235, "c8e59db0248ef6a3cb2946a1d43becba0c658dee8b963aaf09ac3b144b961fa7", -36,
     14456, "1de739fb08eb69a13f12a1d47188f429f44647f91bf71317a0a6fcd13a69c6b6"},
};

inline constexpr GoldenLoss kLenetLosses[] = {
    {1, -5554, 11912, "c1ce140463dc1a6b95fa6f99d98748565bb56f36a518d44fbf2e3e23fb66d421", -43,
     14679, "a37d9a2058d8648750d7f482b6e737086fb45935ef2035df9bdf32a8484ab40c"},
    {2, -10472, 18476, "a05f8226989379d537f6daec590e9e2dd780fa8c76a522094863fbbae6b4b8b8", -83,
     14439, "97a79803f9c7da9b7d9d0bf7a9eef831c4ad14668febba90d68857bc06867832"},
};

inline constexpr GoldenLogits kMlpLogits[] = {
    {7, {-36, -20, -23, -3, -5, -9, -42, 67, -37, -1}},
    {2, {1, -1, 42, 30, -65, 9, 10, -50, -8, -45}},
    {1, {-36, 48, 0, -10, -41, 10, -17, 13, -10, -14}},
    {0, {54, -60, -11, 10, -20, 17, 9, -2, -28, -12}},
};

inline constexpr GoldenLogits kLenetLogits[] = {
    {7, {2, -15, -5, 15, -24, 3, -31, 85, -17, 14}},
    {2, {23, -3, 51, 17, -46, 7, 35, -42, 6, -52}},
    {1, {-17, 46, 6, 4, -13, -10, -5, 8, -10, -19}},
    {0, {80, -50, 4, 2, -45, 36, 10, 30, -41, -13}},
};
inline constexpr GoldenCorrect kMlpCorrect[] = {{1, 7}, {2, 15}, {10, 127}, {100, 4636}};
inline constexpr GoldenCorrect kLenetCorrect[] = {{1, 8}, {2, 17}, {10, 229}, {100, 4867}};

// Of the four test images above: exponent of the logits, forward shifts by layer.
inline constexpr int64_t kLogitsExponent = -3;
inline constexpr int64_t kMlpLogitsShifts[] = {12, 10, 8};
inline constexpr int64_t kLenetLogitsShifts[] = {11, 11, 11, 11};

// Mantissas of the standardised images, int8.
inline constexpr char kTrainImagesSha256[] =
    "260836e6104b5804210a2f1096893cb1ced36101cfa342f2cdefa40ef648526a";
inline constexpr char kTestImagesSha256[] =
    "973b658d60370cbe002c2a68383da55c6314ae1e29292ce256166d2c62a5a98f";

}  // namespace tally::oracle

#endif  // TALLY_TESTS_CORE_ORACLE_NITI_GOLDEN_H_
