// Runs kernels of tests.
#include "test/runtime/emulator/Kernel.h"

#include <gtest/gtest.h>

using namespace moec::runtime;
using namespace moec::runtime::emulator;
using namespace moec::test;

std::string moec::test::kernelText(const std::string &body, const std::string &declarations, unsigned parameters) {
  std::string text = ".version 8.0\n.target sm_80\n.address_size 64\n" + declarations + "\n.visible .entry k(";
  for (unsigned k = 0; k < parameters; ++k)
    text += (k ? ", .param .u64 p" : ".param .u64 p") + std::to_string(k);
  text += ")\n{\n.reg .pred %p<10>;\n.reg .b16 %rs<30>;\n.reg .b32 %r<60>;\n.reg .b64 %rd<40>;\n.reg .f32 %f<20>;\n";
  for (unsigned k = 0; k < parameters; ++k)
    text += "ld.param.u64 %rd" + std::to_string(k) + ", [p" + std::to_string(k) + "];\n";
  return text + "mov.u32 %r0, %tid.x;\nmov.u32 %r1, %ctaid.x;\n" + body + "\nret;\n}\n";
}

std::byte *Buffers::add(size_t bytes, Contents contents) {
  auto storage = std::make_unique<std::byte[]>(bytes + 256);
  uintptr_t address = reinterpret_cast<uintptr_t>(storage.get());
  std::byte *data = storage.get() + (256 - address % 256) % 256;
  buffers.push_back({std::move(storage), data, bytes, contents});
  return data;
}

KernelRun Buffers::run(const std::string &text, const Shape &shape) {
  KernelRun run;
  Emulator emulator({.threads = shape.threads, .blocksAtOnce = shape.blocksAtOnce, .mostReports = shape.mostReports});
  std::vector<std::byte *> parameters;
  for (const Buffer &buffer : buffers) {
    parameters.push_back(buffer.data);
    Status added = emulator.memory().add(buffer.data, buffer.bytes, buffer.contents);
    EXPECT_TRUE(added.ok()) << added.message();
  }
  Result<const Module *> module = emulator.load(text, "test.ptx");
  if (!module.ok()) {
    run.status = module.status();
    return run;
  }
  LaunchArguments arguments;
  arguments.grid = shape.grid;
  arguments.block = shape.block;
  arguments.dynamicSharedBytes = shape.dynamicSharedBytes;
  arguments.parameters = std::as_bytes(std::span(parameters));
  arguments.cooperative = shape.cooperative;
  run.status = emulator.launch(**module, "k", arguments, &run.counters);
  run.reports = emulator.reports();
  return run;
}
