using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Tests.Models;

/// <summary>The mean loss over the targets that count, which is what most references hold.</summary>
internal static class MeanLoss
{
    public static Tensor Of(Model model, ModelBatch batch, ForwardPlan plan, bool training = true)
    {
        int counted = batch.Targets.ToArray<long>().Count(target => target != Functional.IgnoredTarget);
        return ForwardPass.LossSum(model, batch, plan, training) * (1.0 / counted);
    }
}
