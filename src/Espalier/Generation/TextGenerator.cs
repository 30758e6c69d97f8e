using Espalier.Models;

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
        using var decoder = new Decoder(model, plan, compute);
        List<int> context = [.. prompt.TakeLast(model.Config.ContextLength)];
        for (long n = 0; ; n++)
        {
            int token = sampler.Draw(
                NextLogits(decoder, context), new CounterRandom(seed, RandomPurpose.Generation, step: n).NextDouble());
            yield return token;

            if (context.Count == model.Config.ContextLength)
            {
                // A window that slides moves every token to another position, and takes from all what the first one told
                // them: nothing of it can be kept, so that the whole is read again, and scored at its end alone.
                context.RemoveAt(0);
                decoder.Forget();
            }

            context.Add(token);
        }
    }

    /// <summary>The scores of every token after the given ones, of which the decoder has read the first.</summary>
    private static float[] NextLogits(Decoder decoder, List<int> context)
    {
        var unread = new long[1, context.Count - decoder.Length];
        for (int i = 0; i < unread.Length; i++)
        {
            unread[0, i] = context[decoder.Length + i];
        }

        return decoder.Next(unread);
    }
}
