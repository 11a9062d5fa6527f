// Runs the assembler and reads what it prints.
#include "lowering/nvptx/Assembler.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

/// The number in front of `unit` in `line`, such as 8 of "0 bytes stack frame, 8 bytes spill stores".
static int64_t numberBefore(StringRef line, StringRef unit) {
  StringRef before = line.take_front(line.find(unit));
  if (before.size() == line.size())
    return 0;
  int64_t value = 0;
  before.rtrim().take_back(before.rtrim().size() - before.rtrim().find_last_not_of("0123456789") - 1).getAsInteger(10, value);
  return value;
}

/// What `messages` say of each of `kernels`; an error if they say anything else.
static Expected<std::vector<AssembledKernel>> readMessages(StringRef messages, ArrayRef<StringRef> kernels) {
  std::vector<AssembledKernel> assembled(kernels.size());
  AssembledKernel *current = nullptr;
  for (StringRef rest = messages; !rest.empty();) {
    auto [line, next] = rest.split('\n');
    rest = next;
    if (line.trim().empty())
      continue;
    if (line.contains("bytes stack frame") && current) {
      current->localBytes = numberBefore(line, " bytes stack frame");
      current->spillStoreBytes = numberBefore(line, " bytes spill stores");
      current->spillLoadBytes = numberBefore(line, " bytes spill loads");
      continue;
    }
    if (!line.consume_front("ptxas info"))
      return createStringError("the assembler says: " + line);
    line = line.ltrim(" :");
    if (line.consume_front("Function properties for ")) {
      const auto *kernel = llvm::find(kernels, line.trim());
      current = kernel == kernels.end() ? nullptr : &assembled[size_t(kernel - kernels.begin())];
    } else if (line.starts_with("Used ") && current) {
      current->registers = numberBefore(line, " registers");
      current->sharedBytes = numberBefore(line, " bytes smem");
    } else if (line.starts_with("(C")) {
      return createStringError("the assembler says: " + line);
    }
  }
  return assembled;
}

Expected<ChipCode> moec::lowering::nvptx::assemble(StringRef assembler, const GpuCode &code, StringRef chip,
                                                   ArrayRef<StringRef> kernels) {
  SmallString<128> paths[3];
  const char *const suffixes[] = {"ptx", "cubin", "log"};
  for (auto [path, suffix] : llvm::zip(paths, suffixes))
    if (std::error_code error = sys::fs::createTemporaryFile("moec", suffix, path))
      return createStringError(error, "cannot create a temporary file");
  scope_exit remove([&] {
    for (StringRef path : paths)
      sys::fs::remove(path);
  });
  std::error_code opened;
  raw_fd_ostream input(paths[0], opened);
  input << code.text;
  input.close();
  if (opened || input.has_error()) {
    input.clear_error();
    return createStringError("cannot write a temporary file");
  }

  std::string architecture = ("-arch=" + chip).str(), failure;
  StringRef arguments[] = {assembler, "-v", architecture, paths[0], "-o", paths[1]};
  std::optional<StringRef> redirects[] = {StringRef(), StringRef(paths[2]), StringRef(paths[2])};
  int exit = sys::ExecuteAndWait(assembler, arguments, std::nullopt, redirects, /*SecondsToWait=*/600, 0, &failure);
  auto messages = MemoryBuffer::getFile(paths[2]);
  if (exit != 0 || !messages)
    return createStringError(assembler + " failed for " + chip + ": " +
                             (failure.empty() && messages ? (*messages)->getBuffer().take_front(2000) : StringRef(failure)));
  auto assembled = readMessages((*messages)->getBuffer(), kernels);
  if (!assembled)
    return assembled.takeError();
  auto bytes = MemoryBuffer::getFile(paths[1], /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!bytes)
    return createStringError(bytes.getError(), "cannot read the assembled kernels");
  return ChipCode{chip.str(), ("cubin/" + Twine(code.target) + "/" + chip).str(), (*bytes)->getBuffer().str(),
                  std::move(*assembled)};
}
