// The confidence objective of ConfiG (arXiv 2506.02294): high where the teacher is confident in class y and the
// student is not. The paper's exact form is not public; these are its known readings, to be maximised:
//
//   difference  t_y - f_y                          (gamma = 1 of both power forms, up to a constant)
//   power_max   t_y^gamma + (1 - f_y)^gamma
//   power_min   -((1 - t_y)^gamma + f_y^gamma)     (the penalty that power_max is often written as)
//   log         log t_y - log f_y
#pragma once

#include <torch/torch.h>

namespace sparring {

enum class ObjectiveForm { difference, power_max, power_min, log };

struct Objective {
  ObjectiveForm form = ObjectiveForm::difference;
  double gamma = 2;  // exponent of the power forms

  // teacher_logits, student_logits: [B, K] fp32; classes: [B] int64 -> score [B]
  at::Tensor operator()(const at::Tensor& teacher_logits, const at::Tensor& student_logits,
                        const at::Tensor& classes) const;
};

// Probability of the given class: [B, K] logits, [B] classes -> [B]
at::Tensor class_probability(const at::Tensor& logits, const at::Tensor& classes);

}  // namespace sparring
