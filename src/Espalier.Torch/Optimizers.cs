using static Espalier.Torch.Native;

namespace Espalier.Torch;

/// <summary>The arithmetic of optimizers, fused into one pass over memory where libtorch would take ten.</summary>
public static class Optimizers
{
    /// <summary>The Euclidean norm of all gradients together.</summary>
    public static unsafe double GlobalNorm(IReadOnlyList<Tensor> gradients)
    {
        var handles = new nint[gradients.Count];
        for (int i = 0; i < handles.Length; i++)
        {
            handles[i] = gradients[i].DangerousGetHandle();
        }

        fixed (nint* pointer = handles)
        {
            _ = Check(esp_global_norm(pointer, handles.Length, out double norm));
            GC.KeepAlive(gradients);
            return norm;
        }
    }

    /// <summary>One step of AdamW (Loshchilov and Hutter 2019) on one parameter and its moments, in place.</summary>
    /// <param name="parameter">The weights.</param>
    /// <param name="gradient">Their gradient, which is multiplied by <paramref name="gradientScale"/> on the way.</param>
    /// <param name="expAvg">The running mean of the gradient.</param>
    /// <param name="expAvgSq">The running mean of its square.</param>
    /// <param name="gradientScale">The clipping factor.</param>
    /// <param name="learningRate">The learning rate of this step.</param>
    /// <param name="beta1">The decay of the mean.</param>
    /// <param name="beta2">The decay of the mean square.</param>
    /// <param name="epsilon">Added to the denominator.</param>
    /// <param name="weightDecay">The decoupled decay, times the learning rate.</param>
    /// <param name="step">The number of this step, from 1, for the bias corrections.</param>
    /// <param name="rateFactors">
    /// Shaped like the parameter: what the learning rate of each element is multiplied by; null for 1 everywhere.
    /// </param>
    public static void AdamW(
        Tensor parameter, Tensor gradient, Tensor expAvg, Tensor expAvgSq, double gradientScale, double learningRate,
        double beta1, double beta2, double epsilon, double weightDecay, long step, Tensor? rateFactors = null) =>
        Check(esp_adamw(
            parameter, gradient, expAvg, expAvgSq, gradientScale, learningRate, beta1, beta2, epsilon, weightDecay,
            step, rateFactors ?? Tensor.None));
}
