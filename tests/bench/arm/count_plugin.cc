// A plug-in for qemu-user (plug-in interface version 1) that counts the instructions a program
// executes and prints their number when it ends. The interface is declared here, since Debian
// packages no header for it: qemu documentation, "QEMU TCG Plugins".
//
//   g++ -shared -fPIC -o count.so count_plugin.cc; qemu-arm -plugin ./count.so -d plugin PROGRAM

#include <cinttypes>
#include <cstdint>
#include <cstdio>

extern "C" {

struct qemu_info_t;
struct qemu_plugin_tb;  // a translated block of instructions
using qemu_plugin_id_t = uint64_t;
enum qemu_plugin_op : int { kAddU64 = 0 };

size_t qemu_plugin_tb_n_insns(const qemu_plugin_tb* block);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*translated)(qemu_plugin_id_t, qemu_plugin_tb*));
void qemu_plugin_register_vcpu_tb_exec_inline(qemu_plugin_tb* block, qemu_plugin_op op,
                                              void* counter, uint64_t amount);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*ended)(qemu_plugin_id_t, void*),
                                    void* data);
void qemu_plugin_outs(const char* text);

[[gnu::visibility("default")]] int qemu_plugin_version = 1;

// Additions of several threads could get lost; the programs counted here have one.
static uint64_t instructions = 0;

static void OnTranslated(qemu_plugin_id_t, qemu_plugin_tb* block) {
  qemu_plugin_register_vcpu_tb_exec_inline(block, kAddU64, &instructions,
                                           qemu_plugin_tb_n_insns(block));
}

static void OnExit(qemu_plugin_id_t, void*) {
  char text[64];
  std::snprintf(text, sizeof text, "instructions %" PRIu64 "\n", instructions);
  qemu_plugin_outs(text);
}

[[gnu::visibility("default")]] int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t*, int,
                                                       char**) {
  qemu_plugin_register_vcpu_tb_trans_cb(id, OnTranslated);
  qemu_plugin_register_atexit_cb(id, OnExit, nullptr);
  return 0;
}

}  // extern "C"
