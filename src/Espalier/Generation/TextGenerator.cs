using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Generation;

/// <summary>Continues token sequences with a model, one token at a time.</summary>
/// <param name="model">The model.</param>
/// <param name="plan">What runs.</param>
/// <param name="compute">Where the model lies, and in which number format to compute.</param>
public sealed class TextGenerator(Model model, ForwardPlan plan, Compute compute)
{
    /// <summary>Draws tokens without end: whoever enumerates stops.</summary>
    /// <param name="prompt">What goes before: at least one token. Of a long one, the last of the context length count.</param>
    /// <param name="sampler">How a token is chosen.</param>
    /// <param name="seed">Token n is a function of the logits, this and n.</param>
    public IEnumerable<int> Continue(IReadOnlyList<int> prompt, TokenSampler sampler, ulong seed)
    {
        ArgumentOutOfRangeException.ThrowIfZero(prompt.Count);
        List<int> context = [.. prompt.TakeLast(model.Config.ContextLength)];
        for (long n = 0; ; n++)
        {
            int token = sampler.Draw(
                NextLogits(context), new CounterRandom(seed, RandomPurpose.Generation, step: n).NextDouble());
            yield return token;

            if (context.Count == model.Config.ContextLength)
            {
                context.RemoveAt(0);
            }

            context.Add(token);
        }
    }

    /// <summary>The scores of every token after the given ones.</summary>
    /// <param name="context">At least one token, at most the context length.</param>
    /// <returns>(V).</returns>
    internal float[] NextLogits(List<int> context)
    {
        using var noGrad = new NoGrad();
        using var scope = new TensorScope();
        using Autocast? autocast = compute.LowerProducts();
        long[] ids = [.. context];
        Tensor logits_1TV = ForwardPass.Logits(
            model, Tensor.From<long>(ids, [1, ids.Length], compute.Device), plan);
        return logits_1TV.Narrow(1, ids.Length - 1, 1).To(ScalarType.Float32, Device.Cpu).ToArray<float>();
    }
}
