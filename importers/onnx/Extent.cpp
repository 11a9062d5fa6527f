// Extents as products, so that what divides evenly is seen to; sums, quotients and bounds of unknown ones become atoms.
#include "importers/onnx/Extent.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

Extent Extents::atom(Value value, bool isSize, Kind kind, const Extent &a, const Extent &b) {
  Extent extent(1);
  extent.atoms.push_back(static_cast<uint32_t>(atoms.size()));
  atoms.push_back({value, isSize, kind, a, b});
  return extent;
}

Extent Extents::of(Value index, bool isSize) { return atom(index, isSize, Kind::Given, 0, 0); }

void Extents::forgetFrom(size_t begin) {
  for (; history.size() > begin; history.pop_back())
    known.erase(history.back());
}

const Extents::Atom *Extents::soleAtom(const Extent &extent, Kind kind) const {
  if (extent.number != 1 || extent.atoms.size() != 1 || atoms[extent.atoms.front()].kind != kind)
    return nullptr;
  return &atoms[extent.atoms.front()];
}

bool Extents::isNotNegative(const Extent &a) const {
  return a.number >= 0 && llvm::all_of(a.atoms, [&](uint32_t atom) { return atoms[atom].isSize; });
}

bool Extents::isMultiple(const Extent &whole, const Extent &part) const {
  return part.number && part.number != -1 && whole.number % part.number == 0 &&
         std::includes(whole.atoms.begin(), whole.atoms.end(), part.atoms.begin(), part.atoms.end());
}

Extent Extents::computed(Kind kind, const Extent &a, const Extent &b, bool isSize) {
  Key key{kind, a, b};
  if (auto found = known.find(key); found != known.end()) {
    Extent extent(1);
    extent.atoms.push_back(found->second);
    return extent;
  }
  Value left = value(a), right = value(b), result;
  if (kind == Kind::Add)
    result = arith::AddIOp::create(builder, left, right);
  else if (kind == Kind::Minimum)
    result = arith::MinSIOp::create(builder, left, right);
  else if (kind == Kind::Maximum)
    result = arith::MaxSIOp::create(builder, left, right);
  else {
    // Division by zero must not end the program; whoever asks holds the result to other sizes.
    Value zero = value(0), one = value(1);
    Value isZero = arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, right, zero);
    result = arith::DivSIOp::create(builder, left, arith::SelectOp::create(builder, isZero, one, right));
  }
  Extent made = atom(result, isSize, kind, a, b);
  known.emplace(key, made.atoms.front());
  history.push_back(key);
  return made;
}

Extent Extents::add(const Extent &a, const Extent &b) {
  Extent sum;
  if (a.atoms == b.atoms) {
    overflowed |= llvm::AddOverflow(a.number, b.number, sum.number);
    if (sum.number)
      sum.atoms = a.atoms;
    return sum;
  }
  if (a.is(0))
    return b;
  if (b.is(0))
    return a;
  // (p + q) + r with one of p and q like r
  for (auto [whole, rest] : {std::pair(&a, &b), std::pair(&b, &a)})
    if (const Atom *inner = soleAtom(*whole, Kind::Add)) {
      Extent p = inner->a, q = inner->b;
      if (q.atoms == rest->atoms)
        return add(p, add(q, *rest));
      if (p.atoms == rest->atoms)
        return add(add(p, *rest), q);
    }
  const Extent &first = b < a ? b : a, &second = b < a ? a : b;
  return computed(Kind::Add, first, second, isNotNegative(a) && isNotNegative(b));
}

Extent Extents::multiply(const Extent &a, const Extent &b) {
  Extent product;
  overflowed |= llvm::MulOverflow(a.number, b.number, product.number);
  if (!product.number)
    return product;
  if (a.atoms.size() + b.atoms.size() > 16) // squares of squares must not become long
    return of(arith::MulIOp::create(builder, value(a), value(b)), isNotNegative(a) && isNotNegative(b));
  product.atoms.resize(a.atoms.size() + b.atoms.size());
  std::merge(a.atoms.begin(), a.atoms.end(), b.atoms.begin(), b.atoms.end(), product.atoms.begin());
  return product;
}

Extent Extents::divide(const Extent &a, const Extent &b) {
  if (a.isConstant() && b.isConstant())
    return b.number == -1 ? multiply(a, -1) : Extent(a.number / (b.number ? b.number : 1));
  if (isMultiple(a, b)) {
    Extent quotient(a.number / b.number);
    std::set_difference(a.atoms.begin(), a.atoms.end(), b.atoms.begin(), b.atoms.end(), std::back_inserter(quotient.atoms));
    return quotient;
  }
  return computed(Kind::Divide, a, b, isNotNegative(a) && isNotNegative(b));
}

Extent Extents::minimum(const Extent &a, const Extent &b) {
  if (a == b)
    return a;
  if (a.isConstant() && b.isConstant())
    return std::min(a.number, b.number);
  // Sizes stay below what stands for "to the end".
  constexpr int64_t end = (int64_t(1) << 31) - 1;
  if (b.isConstant() && b.number >= end && isNotNegative(a))
    return a;
  if (a.isConstant() && a.number >= end && isNotNegative(b))
    return b;
  if (a.is(0) && isNotNegative(b))
    return a;
  if (b.is(0) && isNotNegative(a))
    return b;
  const Extent &first = b < a ? b : a, &second = b < a ? a : b;
  return computed(Kind::Minimum, first, second, isNotNegative(a) && isNotNegative(b));
}

Extent Extents::maximum(const Extent &a, const Extent &b) {
  if (a == b)
    return a;
  if (a.isConstant() && b.isConstant())
    return std::max(a.number, b.number);
  if (a.isConstant() && a.number <= 0 && isNotNegative(b))
    return b;
  if (b.isConstant() && b.number <= 0 && isNotNegative(a))
    return a;
  const Extent &first = b < a ? b : a, &second = b < a ? a : b;
  return computed(Kind::Maximum, first, second, isNotNegative(a) || isNotNegative(b));
}

Extent Extents::ifEqual(const Extent &a, const Extent &b, const Extent &then, const Extent &otherwise) {
  if (then == otherwise)
    return then;
  Extent difference = subtract(a, b);
  if (difference.isConstant())
    return difference.is(0) ? then : otherwise;
  if (isNotNegative(a) && b.isConstant() && b.number < 0)
    return otherwise;
  Value isEqual = arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, value(a), value(b));
  return atom(arith::SelectOp::create(builder, isEqual, value(then), value(otherwise)),
              isNotNegative(then) && isNotNegative(otherwise), Kind::Select, 0, 0);
}

Extent Extents::ifNegative(const Extent &a, const Extent &then, const Extent &otherwise) {
  if (then == otherwise || isNotNegative(a))
    return otherwise;
  if (a.isConstant())
    return then;
  Value isNegative = arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, value(a), value(0));
  return atom(arith::SelectOp::create(builder, isNegative, value(then), value(otherwise)),
              isNotNegative(then) && isNotNegative(otherwise), Kind::Select, 0, 0);
}

Extent Extents::product(ArrayRef<Extent> factors) {
  Extent result(1);
  for (const Extent &factor : factors)
    result = multiply(result, factor);
  return result;
}

Value Extents::value(const Extent &extent) {
  Value result;
  if (extent.number != 1 || extent.atoms.empty())
    result = arith::ConstantIndexOp::create(builder, extent.number);
  for (uint32_t index : extent.atoms)
    result = result ? Value(arith::MulIOp::create(builder, result, atoms[index].value)) : atoms[index].value;
  return result;
}

OpFoldResult Extents::size(const Extent &extent) {
  return extent.isConstant() ? OpFoldResult(builder.getIndexAttr(extent.number)) : OpFoldResult(value(extent));
}

SmallVector<OpFoldResult> Extents::sizes(ArrayRef<Extent> shape) {
  return llvm::map_to_vector(shape, [&](const Extent &extent) { return size(extent); });
}

SmallVector<Value> Extents::dynamicSizes(ArrayRef<Extent> shape) {
  SmallVector<Value> values;
  for (const Extent &extent : shape)
    if (!extent.isConstant())
      values.push_back(value(extent));
  return values;
}
