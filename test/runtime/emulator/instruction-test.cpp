// Single instructions against the definitions of the PTX manual: the same operands in every lane, one result.
#include "test/runtime/emulator/Kernel.h"

#include <bit>
#include <cmath>
#include <gtest/gtest.h>

using namespace moec::runtime::emulator;
using namespace moec::test;

namespace {
uint64_t f(float value) { return std::bit_cast<uint32_t>(value); }
uint64_t d(double value) { return std::bit_cast<uint64_t>(value); }

/// Operands are in %r10, %r11, ..., and with their own sizes in %rs10 and %rd10; the result in register 20 of its size, or in %p0.
struct Case {
  std::string text;
  std::vector<uint64_t> operands;
  uint64_t expected;
};

uint64_t execute(const Case &c) {
  std::string body;
  for (size_t k = 0; k < c.operands.size(); ++k) {
    std::string n = std::to_string(10 + k), offset = std::to_string(8 * k);
    body += "ld.global.b64 %rd" + n + ", [%rd0+" + offset + "];\nld.global.b32 %r" + n + ", [%rd0+" + offset +
            "];\nld.global.b16 %rs" + n + ", [%rd0+" + offset + "];\n";
  }
  body += c.text + ";\n";
  if (c.text.find("%rd20") != std::string::npos)
    body += "st.global.b64 [%rd1], %rd20;";
  else if (c.text.find("%rs20") != std::string::npos)
    body += "st.global.b16 [%rd1], %rs20;";
  else if (c.text.find("%p0") != std::string::npos)
    body += "selp.b32 %r20, 1, 0, %p0;\nst.global.b32 [%rd1], %r20;";
  else
    body += "st.global.b32 [%rd1], %r20;";
  Buffers buffers;
  std::vector<uint64_t> operands = c.operands;
  operands.push_back(0);
  buffers.in(operands).in(std::vector<uint64_t>{0});
  KernelRun run = buffers.run(kernelText(body));
  EXPECT_TRUE(run.status.ok()) << c.text << ": " << run.status.message();
  return buffers.get<uint64_t>(1)[0];
}

void check(const std::vector<Case> &cases) {
  for (const Case &c : cases)
    EXPECT_EQ(execute(c), c.expected) << c.text;
}
} // namespace

TEST(EmulatorInstruction, IntegerArithmetic) {
  check({
      {"add.s32 %r20, %r10, %r11", {0xffffffff, 2}, 1},
      {"add.sat.s32 %r20, %r10, %r11", {0x7fffffff, 1}, 0x7fffffff},
      {"add.u64 %rd20, %rd10, %rd11", {~0ull, 2}, 1},
      {"add.u16 %rs20, %rs10, %rs11", {0xffff, 3}, 2},
      {"sub.sat.s32 %r20, %r10, %r11", {0x80000000, 1}, 0x80000000},
      {"sub.s64 %rd20, %rd10, %rd11", {1, 2}, ~0ull},
      {"mul.lo.s32 %r20, %r10, %r11", {0x10001, 0x10001}, 0x20001},
      {"mul.hi.s32 %r20, %r10, %r11", {0xffffffff, 2}, 0xffffffff},
      {"mul.hi.u32 %r20, %r10, %r11", {0xffffffff, 2}, 1},
      {"mul.hi.u64 %rd20, %rd10, %rd11", {~0ull, 4}, 3},
      {"mul.hi.s64 %rd20, %rd10, %rd11", {~0ull, 4}, ~0ull},
      {"mul.wide.s32 %rd20, %r10, %r11", {0xffffffff, 5}, uint64_t(-5)},
      {"mul.wide.u32 %rd20, %r10, %r11", {0xffffffff, 5}, 0xffffffffull * 5},
      {"mul.wide.s16 %r20, %rs10, %rs11", {0xffff, 7}, uint32_t(-7)},
      {"mad.lo.s32 %r20, %r10, %r11, %r12", {3, 0xffffffff, 10}, 7},
      {"mad.hi.u32 %r20, %r10, %r11, %r12", {0x80000000, 6, 10}, 13},
      {"mad.wide.u32 %rd20, %r10, %r11, %rd12", {0xffffffff, 2, 5}, 0xffffffffull * 2 + 5},
      {"mad.wide.s32 %rd20, %r10, %r11, %rd12", {0xffffffff, 2, 5}, 3},
      {"mul24.lo.u32 %r20, %r10, %r11", {0xff000003, 5}, 15},
      {"mul24.hi.s32 %r20, %r10, %r11", {0x00800000, 0x10000}, uint32_t(-8388608)},
      {"sad.s32 %r20, %r10, %r11, %r12", {uint32_t(-3), 4, 10}, 17},
      {"div.s32 %r20, %r10, %r11", {uint32_t(-7), 2}, uint32_t(-3)},
      {"div.u32 %r20, %r10, %r11", {uint32_t(-7), 2}, 0x7ffffffc},
      {"div.s64 %rd20, %rd10, %rd11", {uint64_t(-7), 2}, uint64_t(-3)},
      {"rem.s32 %r20, %r10, %r11", {uint32_t(-7), 2}, uint32_t(-1)},
      {"rem.u64 %rd20, %rd10, %rd11", {17, 5}, 2},
      {"min.s32 %r20, %r10, %r11", {uint32_t(-1), 1}, uint32_t(-1)},
      {"min.u32 %r20, %r10, %r11", {uint32_t(-1), 1}, 1},
      {"max.s64 %rd20, %rd10, %rd11", {uint64_t(-1), 1}, 1},
      {"max.u16 %rs20, %rs10, %rs11", {0xffff, 1}, 0xffff},
      {"abs.s32 %r20, %r10", {uint32_t(-9)}, 9},
      {"neg.s64 %rd20, %rd10", {9}, uint64_t(-9)},
      {"dp4a.s32.s32 %r20, %r10, %r11, %r12", {0x01ff02fe, 0x02030405, 100}, 100 + 1 * 2 - 1 * 3 + 2 * 4 - 2 * 5},
      {"dp4a.u32.u32 %r20, %r10, %r11, %r12", {0x01ff02fe, 0x02030405, 100}, 100 + 2 + 255 * 3 + 8 + 254 * 5},
      {"dp2a.lo.s32.s32 %r20, %r10, %r11, %r12", {0x0002ffff, 0x04030205, 1}, 1 - 5 + 4},
      {"dp2a.hi.s32.s32 %r20, %r10, %r11, %r12", {0x0002ffff, 0x04030205, 1}, 1 - 3 + 8},
  });
}

TEST(EmulatorInstruction, Bits) {
  check({
      {"and.b32 %r20, %r10, %r11", {0xff00ff00, 0x0ff00ff0}, 0x0f000f00},
      {"or.b64 %rd20, %rd10, %rd11", {0xf0ull << 40, 0xf}, 0xf0ull << 40 | 0xf},
      {"xor.b16 %rs20, %rs10, %rs11", {0xff00, 0x0ff0}, 0xf0f0},
      {"not.b32 %r20, %r10", {0x0000ffff}, 0xffff0000},
      {"cnot.b32 %r20, %r10", {0}, 1},
      {"shl.b32 %r20, %r10, %r11", {1, 31}, 0x80000000},
      {"shl.b32 %r20, %r10, %r11", {1, 32}, 0},
      {"shl.b64 %rd20, %rd10, %r11", {3, 62}, 3ull << 62},
      {"shr.u32 %r20, %r10, %r11", {0x80000000, 31}, 1},
      {"shr.s32 %r20, %r10, %r11", {0x80000000, 40}, 0xffffffff},
      {"shr.s64 %rd20, %rd10, %r11", {1ull << 63, 63}, ~0ull},
      {"shr.u16 %rs20, %rs10, %r11", {0x8000, 15}, 1},
      {"shf.l.wrap.b32 %r20, %r10, %r11, %r12", {0x80000000, 1, 33}, 3},
      {"shf.r.wrap.b32 %r20, %r10, %r11, %r12", {0x80000000, 1, 33}, 0xc0000000},
      {"shf.l.clamp.b32 %r20, %r10, %r11, %r12", {0x12345678, 1, 40}, 0x12345678},
      {"shf.r.clamp.b32 %r20, %r10, %r11, %r12", {5, 0x12345678, 40}, 0x12345678},
      {"bfe.u32 %r20, %r10, %r11, %r12", {0xabcd1234, 8, 8}, 0x12},
      {"bfe.s32 %r20, %r10, %r11, %r12", {0xabcd1234, 16, 8}, 0xffffffcd},
      {"bfe.s32 %r20, %r10, %r11, %r12", {0x80000000, 28, 16}, 0xfffffff8},
      {"bfe.u64 %rd20, %rd10, %r11, %r12", {0xabcd12340000ull, 32, 16}, 0xabcd},
      {"bfe.u32 %r20, %r10, %r11, %r12", {0xabcd1234, 8, 0}, 0},
      {"bfi.b32 %r20, %r10, %r11, %r12, %r13", {0xff, 0x11111111, 8, 4}, 0x11111f11},
      {"bfi.b64 %rd20, %rd10, %rd11, %r12, %r13", {0xff, 0, 60, 8}, 0xfull << 60},
      {"bfind.u32 %r20, %r10", {0x00800000}, 23},
      {"bfind.s32 %r20, %r10", {0xffffff7f}, 7},
      {"bfind.shiftamt.u32 %r20, %r10", {0x00800000}, 8},
      {"bfind.u64 %r20, %rd10", {0}, 0xffffffff},
      {"clz.b32 %r20, %r10", {1}, 31},
      {"clz.b64 %r20, %rd10", {0}, 64},
      {"popc.b64 %r20, %rd10", {0xff00ff00ff00ff00ull}, 32},
      {"brev.b32 %r20, %r10", {1}, 0x80000000},
      {"brev.b64 %rd20, %rd10", {2}, 1ull << 62},
      {"lop3.b32 %r20, %r10, %r11, %r12, 0x96", {0xf0f0f0f0, 0xcccccccc, 0xaaaaaaaa}, 0x96969696},
      {"lop3.b32 %r20, %r10, %r11, %r12, 0xca", {0xf0f0f0f0, 0xcccccccc, 0xaaaaaaaa}, 0xcacacaca},
      {"prmt.b32 %r20, %r10, %r11, %r12", {0x33221100, 0x77665544, 0x5410}, 0x55441100},
      {"prmt.b32 %r20, %r10, %r11, %r12", {0x332211ff, 0x77665544, 0x0008}, 0xffffffff},
      {"prmt.b32.f4e %r20, %r10, %r11, %r12", {0x33221100, 0x77665544, 1}, 0x44332211},
      {"prmt.b32.rc16 %r20, %r10, %r11, %r12", {0x33221100, 0x77665544, 1}, 0x33223322},
  });
}

TEST(EmulatorInstruction, FloatArithmetic) {
  float tiny = 1e-40f; // subnormal
  check({
      {"add.f32 %r20, %r10, %r11", {f(1.5f), f(2.25f)}, f(3.75f)},
      {"add.rz.f32 %r20, %r10, %r11", {f(1), f(0x1.8p-24f)}, f(1)},
      {"add.rp.f32 %r20, %r10, %r11", {f(1), f(0x1p-60f)}, f(0x1.000002p0f)},
      {"add.rm.f32 %r20, %r10, %r11", {f(1), f(-0x1p-60f)}, f(0x1.fffffep-1f)},
      {"add.ftz.f32 %r20, %r10, %r11", {f(tiny), f(tiny)}, 0},
      {"add.f32 %r20, %r10, %r11", {f(tiny), f(tiny)}, f(tiny + tiny)},
      {"add.sat.f32 %r20, %r10, %r11", {f(0.75f), f(0.75f)}, f(1)},
      {"sub.f64 %rd20, %rd10, %rd11", {d(1), d(3)}, d(-2)},
      {"mul.f32 %r20, %r10, %r11", {f(3), f(-7)}, f(-21)},
      {"mul.rz.f32 %r20, %r10, %r11", {f(0x1.000002p0f), f(0x1.fffffep0f)}, f(0x1.000000p1f)},
      {"fma.rn.f32 %r20, %r10, %r11, %r12", {f(0x1.000002p0f), f(0x1.000002p0f), f(-1)}, f(0x1.000001p-22f)},
      {"fma.rn.f64 %rd20, %rd10, %rd11, %rd12", {d(2), d(3), d(4)}, d(10)},
      {"mad.rn.f32 %r20, %r10, %r11, %r12", {f(2), f(3), f(4)}, f(10)},
      {"div.rn.f32 %r20, %r10, %r11", {f(1), f(3)}, f(1.0f / 3.0f)},
      {"div.rz.f32 %r20, %r10, %r11", {f(2), f(3)}, f(0x1.555554p-1f)},
      {"div.full.f32 %r20, %r10, %r11", {f(6), f(3)}, f(2)},
      {"min.f32 %r20, %r10, %r11", {f(NAN), f(3)}, f(3)},
      {"min.f32 %r20, %r10, %r11", {f(0.0f), f(-0.0f)}, f(-0.0f)},
      {"max.NaN.f32 %r20, %r10, %r11", {f(NAN), f(3)}, 0x7fffffff},
      {"max.f32 %r20, %r10, %r11", {f(-0.0f), f(0.0f)}, f(0.0f)},
      {"abs.f32 %r20, %r10", {f(-3)}, f(3)},
      {"neg.f64 %rd20, %rd10", {d(3)}, d(-3)},
      {"copysign.f32 %r20, %r10, %r11", {f(-1), f(5)}, f(-5)},
      {"sqrt.rn.f32 %r20, %r10", {f(2)}, f(std::sqrt(2.0f))},
      {"rcp.approx.ftz.f32 %r20, %r10", {f(4)}, f(0.25f)},
      {"rsqrt.approx.f32 %r20, %r10", {f(4)}, f(0.5f)},
      {"ex2.approx.f32 %r20, %r10", {f(3)}, f(8)},
      {"lg2.approx.f32 %r20, %r10", {f(8)}, f(3)},
      {"sin.approx.f32 %r20, %r10", {f(0)}, f(0)},
      {"cos.approx.f32 %r20, %r10", {f(0)}, f(1)},
      {"tanh.approx.f32 %r20, %r10", {f(0)}, f(0)},
      {"sqrt.rn.f64 %rd20, %rd10", {d(2)}, d(std::sqrt(2.0))},
      // f16: 1 = 0x3c00, 2 = 0x4000; bf16: 1 = 0x3f80, 2 = 0x4000.
      {"add.f16 %rs20, %rs10, %rs11", {0x3c00, 0x4000}, 0x4200},
      {"mul.bf16 %rs20, %rs10, %rs11", {0x4000, 0x4000}, 0x4080},
      {"fma.rn.f16 %rs20, %rs10, %rs11, %rs12", {0x3c01, 0x3c01, 0xbc02}, 0x0010},
      {"fma.rn.bf16x2 %r20, %r10, %r11, %r12", {0x3f804000, 0x40004000, 0x3f803f80}, 0x404040a0},
      {"fma.rn.relu.bf16 %rs20, %rs10, %rs11, %rs12", {0x3f80, 0xbf80, 0}, 0},
      {"max.bf16x2 %r20, %r10, %r11", {0x3f804000, 0x40003f80}, 0x40004000},
      {"neg.f16x2 %r20, %r10", {0x3c00bc00}, 0xbc003c00},
      {"abs.bf16x2 %r20, %r10", {0xbf80bf80}, 0x3f803f80},
  });
}

TEST(EmulatorInstruction, Comparisons) {
  check({
      {"setp.lt.s32 %p0, %r10, %r11", {uint32_t(-1), 1}, 1},
      {"setp.lt.u32 %p0, %r10, %r11", {uint32_t(-1), 1}, 0},
      {"setp.hi.u32 %p0, %r10, %r11", {uint32_t(-1), 1}, 1},
      {"setp.eq.f32 %p0, %r10, %r11", {f(NAN), f(NAN)}, 0},
      {"setp.ne.f32 %p0, %r10, %r11", {f(NAN), f(1)}, 0},
      {"setp.neu.f32 %p0, %r10, %r11", {f(NAN), f(1)}, 1},
      {"setp.geu.f64 %p0, %rd10, %rd11", {d(NAN), d(1)}, 1},
      {"setp.num.f32 %p0, %r10, %r11", {f(2), f(1)}, 1},
      {"setp.nan.f32 %p0, %r10, %r11", {f(2), f(NAN)}, 1},
      {"setp.nan.f32 %p0, %r10, %r11", {f(2), f(2)}, 0},
      {"setp.gt.s64 %p0, %rd10, %rd11", {1, uint64_t(-1)}, 1},
      {"setp.lt.bf16 %p0, %rs10, %rs11", {0x3f80, 0x4000}, 1},
      {"setp.eq.s32 %p1, %r10, 5;\nsetp.eq.and.s32 %p0, %r11, 6, %p1", {5, 6}, 1},
      {"setp.eq.s32 %p1, %r10, 5;\nsetp.eq.and.s32 %p0, %r11, 6, !%p1", {5, 6}, 0},
      {"setp.eq.s32 %p1|%p0, %r10, 5", {5}, 0},
      {"set.lt.u32.s32 %r20, %r10, %r11", {1, 2}, 0xffffffff},
      {"set.lt.f32.f32 %r20, %r10, %r11", {f(1), f(2)}, f(1)},
      {"setp.eq.s32 %p1, %r10, 5;\nselp.b32 %r20, %r11, %r12, %p1", {5, 7, 8}, 7},
      {"slct.b32.s32 %r20, %r10, %r11, %r12", {1, 2, uint32_t(-1)}, 2},
      {"testp.subnormal.f32 %p0, %r10", {f(1e-40f)}, 1},
      {"testp.finite.f32 %p0, %r10", {f(INFINITY)}, 0},
      {"setp.eq.s32 %p1, %r10, 5;\nxor.pred %p0, %p1, %p1", {5}, 0},
      {"setp.eq.s32 %p1, %r10, 4;\nnot.pred %p0, %p1", {5}, 1},
  });
}

TEST(EmulatorInstruction, Moves) {
  check({
      {"mov.b64 %rd20, {%r10, %r11}", {1, 2}, 2ull << 32 | 1},
      {"mov.b32 {%rs13, %rs20}, %r10", {0xabcd1234}, 0xabcd},
      {"mov.b32 %r20, {%rs10, %rs11}", {0x1234, 0xabcd}, 0xabcd1234},
      {"mov.b64 {%rs13, %rs14, %rs15, %rs20}, %rd10", {0xabcdull << 48}, 0xabcd},
      {"mov.b64 {%r13, %r20}, %rd10", {5ull << 32}, 5},
      {"mov.u32 %r20, WARP_SZ", {}, 32},
      {"mov.u32 %r20, %ntid.x", {}, 32},
      {"mov.b32 %r20, 0f3F800000", {}, f(1)},
      {"mov.b64 %rd20, 0d3FF0000000000000", {}, d(1)},
      {"mov.b32 %r20, -1", {}, 0xffffffff},
      {"isspacep.global %p0, %rd0", {}, 1},
      {"isspacep.shared %p0, %rd0", {}, 0},
  });
}

TEST(EmulatorInstruction, Conversions) {
  check({
      {"cvt.u64.u32 %rd20, %r10", {0xffffffff}, 0xffffffff},
      {"cvt.s64.s32 %rd20, %r10", {0xffffffff}, ~0ull},
      {"cvt.u32.u64 %r20, %rd10", {0x1234567890ull}, 0x34567890},
      {"cvt.s32.s8 %r20, %r10", {0x80}, 0xffffff80},
      {"cvt.u16.u8 %rs20, %rs10", {0x1ff}, 0xff},
      {"cvt.sat.u8.s32 %r20, %r10", {300}, 255},
      {"cvt.sat.s8.s32 %r20, %r10", {uint32_t(-300)}, uint32_t(-128)},
      {"cvt.rn.f32.s32 %r20, %r10", {uint32_t(-3)}, f(-3)},
      {"cvt.rn.f32.u64 %r20, %rd10", {0x8000008000000001ull}, f(0x1.000002p63f)},
      {"cvt.rz.f32.u64 %r20, %rd10", {0x8000008000000001ull}, f(0x1p63f)},
      {"cvt.rzi.s32.f32 %r20, %r10", {f(-3.7f)}, uint32_t(-3)},
      {"cvt.rni.s32.f32 %r20, %r10", {f(2.5f)}, 2},
      {"cvt.rmi.s32.f32 %r20, %r10", {f(-2.5f)}, uint32_t(-3)},
      {"cvt.rpi.f32.f32 %r20, %r10", {f(2.1f)}, f(3)},
      {"cvt.rzi.u32.f32 %r20, %r10", {f(-1)}, 0},
      {"cvt.rzi.s32.f32 %r20, %r10", {f(1e20f)}, 0x7fffffff},
      {"cvt.rzi.s32.f32 %r20, %r10", {f(NAN)}, 0},
      {"cvt.sat.f32.f32 %r20, %r10", {f(1.5f)}, f(1)},
      {"cvt.f64.f32 %rd20, %r10", {f(1.5f)}, d(1.5)},
      {"cvt.rn.f32.f64 %r20, %rd10", {d(0.1)}, f(0.1f)},
      {"cvt.rm.f32.f64 %r20, %rd10", {d(0.1)}, f(std::nextafter(0.1f, 0.0f))},
      {"cvt.rn.bf16.f32 %rs20, %r10", {f(0x1.01p0f)}, 0x3f80}, // a tie, to even
      {"cvt.rn.bf16.f32 %rs20, %r10", {f(0x1.03p0f)}, 0x3f82}, // likewise
      {"cvt.rz.bf16.f32 %rs20, %r10", {f(0x1.03p0f)}, 0x3f81},
      {"cvt.rn.f16.f32 %rs20, %r10", {f(65520)}, 0x7c00},
      {"cvt.rz.f16.f32 %rs20, %r10", {f(65520)}, 0x7bff},
      {"cvt.f32.f16 %r20, %rs10", {0x3c01}, f(1.0009765625f)},
      {"cvt.f32.bf16 %r20, %rs10", {0x4049}, f(3.140625f)},
      {"cvt.rn.bf16x2.f32 %r20, %r10, %r11", {f(1), f(2)}, 0x3f804000},
      {"cvt.rn.relu.bf16x2.f32 %r20, %r10, %r11", {f(-1), f(2)}, 0x00004000},
      {"cvt.rn.f16x2.f32 %r20, %r10, %r11", {f(1), f(2)}, 0x3c004000},
      {"cvt.rna.tf32.f32 %r20, %r10", {f(0x1.002p0f)}, f(0x1.004p0f) & ~0x1fffull},
      {"cvt.rn.satfinite.f16.f32 %rs20, %r10", {f(65520)}, 0x7bff},
      {"cvt.rn.satfinite.f16.f32 %rs20, %r10", {f(-INFINITY)}, 0xfbff},
      {"cvt.rn.satfinite.f16.f32 %rs20, %r10", {f(NAN)}, 0x7fff},
      {"cvt.rn.satfinite.bf16.f32 %rs20, %r10", {f(INFINITY)}, 0x7f7f},
      {"cvt.rn.relu.satfinite.bf16.f32 %rs20, %r10", {f(-3)}, 0},
      {"cvt.rn.satfinite.f16x2.f32 %r20, %r10, %r11", {f(1e9f), f(-1e9f)}, 0x7bfffbff},
      {"cvt.rna.satfinite.tf32.f32 %r20, %r10", {f(INFINITY)}, 0x7f7fe000},
      {"cvt.rn.satfinite.e4m3x2.f32 %rs20, %r10, %r11", {f(1), f(500)}, 0x387e},
      {"cvt.rn.satfinite.e5m2x2.f32 %rs20, %r10, %r11", {f(1), f(1e6f)}, 0x3c7b},
      {"cvt.rn.satfinite.e4m3x2.f32 %rs20, %r10, %r11", {f(NAN), f(0x1p-10f)}, 0x7f00},
      {"cvt.rn.satfinite.e4m3x2.f32 %rs20, %r10, %r11", {f(-0x1p-9f), f(0x1.8p-10f)}, 0x8101},
      {"cvt.rn.f16x2.e4m3x2 %r20, %rs10", {0x387e}, 0x3c005f00},
      {"cvt.rn.f16x2.e5m2x2 %r20, %rs10", {0x3c7b}, 0x3c007b00},
      {"cvt.rn.satfinite.e4m3x2.f16x2 %rs20, %r10", {0x3c005f00}, 0x387e},
  });
}

// Every operation of an atomic: what was there is returned, the new value stays.
TEST(EmulatorInstruction, Atomics) {
  struct Atomic {
    std::string operation;
    uint32_t old, operand, returned, stored;
  };
  for (const Atomic &a : std::vector<Atomic>{{"add.u32", 5, 3, 5, 8},
                                             {"min.s32", uint32_t(-5), 3, uint32_t(-5), uint32_t(-5)},
                                             {"max.u32", uint32_t(-5), 3, uint32_t(-5), uint32_t(-5)},
                                             {"and.b32", 6, 3, 6, 2},
                                             {"or.b32", 6, 3, 6, 7},
                                             {"xor.b32", 6, 3, 6, 5},
                                             {"exch.b32", 6, 3, 6, 3},
                                             {"inc.u32", 3, 3, 3, 0},
                                             {"inc.u32", 2, 3, 2, 3},
                                             {"dec.u32", 0, 3, 0, 3},
                                             {"add.f32", uint32_t(f(1)), uint32_t(f(2)), uint32_t(f(1)), uint32_t(f(3))}}) {
    Buffers buffers;
    buffers.in(std::vector<uint32_t>{a.old, a.operand}).out(4);
    KernelRun run = buffers.run(kernelText("ld.global.b32 %r10, [%rd0+4];\nsetp.ne.u32 %p1, %r0, 0;\n@%p1 bra $end;\natom.global." +
                                           a.operation + " %r11, [%rd0], %r10;\nst.global.b32 [%rd1], %r11;\n$end:"));
    EXPECT_TRUE(run.status.ok()) << run.status.message();
    EXPECT_EQ(buffers.get<uint32_t>(0)[0], a.stored) << a.operation;
    EXPECT_EQ(buffers.get<uint32_t>(1)[0], a.returned) << a.operation;
  }
}

// Types that an instruction has not are refused, whatever registers there are for them.
TEST(EmulatorInstruction, RefusesTypes) {
  for (const char *text :
       {"shl.b8 %rs20, %rs10, %r10", "shl.pred %p0, %p1, %r10", "neg.e4m3 %rs20, %rs10", "abs.tf32 %r20, %r10",
        "set.lt.pred.s32 %p0, %r10, %r11", "bar.red.popc.u16 %rs20, 0, %p1", "mov.u16 %rs20, %clock", "cvt.u32.pred %r20, 1",
        "cvt.f32.f16x2 %r20, %r10", "cvt.rn.satfinite.f32.f64 %r20, %rd10", "cvt.satfinite.f32.f16 %r20, %rs10",
        "cvt.rn.satfinite.f16x2.e4m3x2 %r20, %rs10", "cvt.b32.u32 %r20, %r10", "add.pred %p0, %p1, %p2",
        "setp.lt.pred %p0, %p1, %p2", "bfe.u16 %rs20, %rs10, %r10, %r11", "atom.global.min.f32 %r20, [%rd0], %r10"}) {
    KernelRun run = Buffers().in(std::vector<int>{1}).run(kernelText(std::string(text) + ";", "", 1));
    EXPECT_NE(run.status.message().find("test.ptx:15: '"), std::string::npos) << text << ": " << run.status.message();
  }
}

TEST(EmulatorInstruction, CompareAndSwap) {
  Buffers buffers;
  buffers.in(std::vector<uint32_t>{0}).out(128);
  KernelRun run = buffers.run(kernelText(R"(
    add.u32 %r10, %r0, 1;
    atom.global.cas.b32 %r11, [%rd0], %r0, %r10;
    mul.wide.u32 %rd4, %r0, 4;
    add.s64 %rd4, %rd4, %rd1;
    st.global.b32 [%rd4], %r11;)"));
  EXPECT_TRUE(run.status.ok()) << run.status.message();
  EXPECT_EQ(buffers.get<uint32_t>(0)[0], 32u); // lanes go in order, so each finds its own number
}
