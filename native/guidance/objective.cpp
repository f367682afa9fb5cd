#include "guidance/objective.h"

namespace sparring {
namespace {

at::Tensor log_class_probability(const at::Tensor& logits, const at::Tensor& classes) {
  return at::log_softmax(logits, 1).gather(1, classes.unsqueeze(1)).squeeze(1);
}

// The derivative of x^gamma with gamma < 1 is infinite at 0; a floor keeps saturated probabilities finite.
at::Tensor power(const at::Tensor& probability, double gamma) { return probability.clamp_min(1e-12).pow(gamma); }

}  // namespace

at::Tensor class_probability(const at::Tensor& logits, const at::Tensor& classes) {
  return log_class_probability(logits, classes).exp();
}

at::Tensor Objective::operator()(const at::Tensor& teacher_logits, const at::Tensor& student_logits,
                                 const at::Tensor& classes) const {
  if (form == ObjectiveForm::log) {
    return log_class_probability(teacher_logits, classes) - log_class_probability(student_logits, classes);
  }
  const auto teacher = class_probability(teacher_logits, classes);  // t_y
  const auto student = class_probability(student_logits, classes);  // f_y
  switch (form) {
    case ObjectiveForm::power_max:
      return power(teacher, gamma) + power(1 - student, gamma);
    case ObjectiveForm::power_min:
      return -(power(1 - teacher, gamma) + power(student, gamma));
    default:
      return teacher - student;
  }
}

}  // namespace sparring
