using System.Text;
using Espalier.Data;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Evaluation;

/// <summary>How well a model guesses the last words of passages.</summary>
/// <param name="Passages">The passages.</param>
/// <param name="Accuracy">The share of them whose last word the model would write, always taking the likeliest token.</param>
/// <param name="Loss">Nats a last word, all its tokens together.</param>
/// <param name="Tokens">The tokens of the last words.</param>
/// <param name="Cut">Passages longer than the context, of which only the end was read.</param>
public sealed record LambadaResult(int Passages, double Accuracy, double Loss, long Tokens, int Cut)
{
    /// <summary>exp of the loss: what GPT-2's authors and lm-evaluation-harness give.</summary>
    public double Perplexity => Math.Exp(Loss);
}

/// <summary>
/// LAMBADA (Paperno et al. 2016): the last word of a passage, which people guess only from all of it. As GPT-2's authors
/// measure it, without a filter of stop words.
/// </summary>
public sealed class Lambada
{
    private readonly IReadOnlyList<(int[] Ids, int WordTokens)> _passages;

    private Lambada(IReadOnlyList<(int[] Ids, int WordTokens)> passages) => _passages = passages;

    /// <summary>Reads passages.</summary>
    /// <param name="path">A .txt with a passage a line, or a .jsonl with a "text" a line; also .gz.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <exception cref="UserErrorException">The file is missing or damaged, or a passage is a single word.</exception>
    public static Lambada Open(string path, Tokenizer tokenizer)
    {
        IEnumerable<(int Line, string Text)> texts = TextFile.Extension(path) == ".jsonl"
            ? Corpus.Open([path]).Documents().Select((document, i) => (i + 1, Encoding.UTF8.GetString(document.Text.Span)))
            : TextFile.Read(path).Split('\n').Select((line, i) => (i + 1, line));
        (int[], int)[] passages =
        [
            .. texts.Select(text => (text.Line, Text: text.Text.TrimEnd())).Where(text => text.Text.Length > 0)
                .Select(text => Split(text.Text, $"{path}:{text.Line}", tokenizer)),
        ];
        return passages.Length > 0 ? new Lambada(passages) : throw new UserErrorException($"{path} holds no passages.");
    }

    /// <summary>Measures a model that predicts the next token.</summary>
    /// <param name="model">The model.</param>
    /// <param name="plan">What runs.</param>
    /// <param name="batchTokens">Tokens computed at a time.</param>
    /// <param name="compute">Where the model lies, and in which number format to compute.</param>
    /// <param name="progress">Hears of the share that is done, in [0, 1].</param>
    public LambadaResult Measure(
        Model model, ForwardPlan plan, int batchTokens, Compute compute, Action<double>? progress = null)
    {
        using var noGrad = new NoGrad();
        int contextLength = model.Config.ContextLength;
        Device device = compute.Device;
        int done = 0, right = 0;
        double loss = 0;

        // The last token is only predicted. A word that fills the whole context by itself loses its beginning.
        (int[] Ids, int WordTokens)[] read =
        [
            .. _passages.Select(passage => passage.Ids.Length - 1 <= contextLength ? passage
                    : (passage.Ids[^(contextLength + 1)..], Math.Min(passage.WordTokens, contextLength)))
                .OrderByDescending(passage => passage.Item1.Length),
        ];
        while (done < read.Length)
        {
            int longest = read[done].Ids.Length - 1;
            (int[] Ids, int WordTokens)[] batch = [.. read.Skip(done).Take(Math.Max(1, batchTokens / longest))];
            (int batchRight, double batchLoss) = Guess(batch, longest);
            (right, loss, done) = (right + batchRight, loss + batchLoss, done + batch.Length);
            progress?.Invoke((double)done / read.Length);
        }

        return new LambadaResult(
            read.Length, (double)right / read.Length, loss / read.Length, read.Sum(passage => (long)passage.WordTokens),
            _passages.Count(passage => passage.Ids.Length - 1 > contextLength));

        (int Right, double Loss) Guess((int[] Ids, int WordTokens)[] batch, int length)
        {
            using var scope = new TensorScope();
            var inputIds = new long[batch.Length * length];
            List<long> positions = [], targets = [];
            for (int row = 0; row < batch.Length; row++)
            {
                (int[] ids, int wordTokens) = batch[row];
                for (int i = 0; i < ids.Length - 1; i++)
                {
                    inputIds[(row * length) + i] = ids[i];
                    if (i >= ids.Length - 1 - wordTokens)
                    {
                        positions.Add((row * length) + i);
                        targets.Add(ids[i + 1]);
                    }
                }
            }

            // Nothing looks ahead, so what fills short rows up need not be masked.
            Tensor hidden_BTC;
            using (Autocast? autocast = compute.LowerProducts())
            {
                hidden_BTC = ForwardPass.Hidden(
                    model, Tensor.From<long>(inputIds, [batch.Length, length], device), plan);
            }

            Tensor hidden_NC = hidden_BTC.To(ScalarType.Float32, device).Reshape(-1, model.Config.HiddenSize)
                .IndexSelect(0, Tensor.From<long>([.. positions], [positions.Count], device));
            Tensor logits_NV = ForwardPass.HeadLogits(model, hidden_NC, plan);
            long[] best = logits_NV.ArgMax().ToArray<long>();
            long[] places = [.. targets.Select((target, i) => (i * logits_NV.Shape[1]) + target)];
            float[] logProbabilities = logits_NV.LogSoftmax().Reshape(-1)
                .IndexSelect(0, Tensor.From<long>(places, [places.Length], device)).ToArray<float>();

            int next = 0, found = 0;
            foreach ((_, int wordTokens) in batch)
            {
                Range word = next..(next + wordTokens);
                found += best.AsSpan(word).SequenceEqual(targets.ToArray().AsSpan(word)) ? 1 : 0;
                next += wordTokens;
            }

            return (found, -logProbabilities.Sum(value => (double)value));
        }
    }

    /// <summary>The tokens of a passage, and how many at its end are the last word with the space before it.</summary>
    private static (int[] Ids, int WordTokens) Split(string text, string place, Tokenizer tokenizer)
    {
        int space = text.LastIndexOf(' ');
        if (space <= 0)
        {
            throw new UserErrorException($"{place}: the passage is a single word, with nothing to guess it from.");
        }

        // As lm-evaluation-harness splits: what the whole has beyond the tokens of the context.
        int[] ids = tokenizer.Encode(text);
        int before = tokenizer.Encode(text[..space]).Length;
        return before > 0 && before < ids.Length
            ? (ids, ids.Length - before)
            : throw new UserErrorException($"{place}: the model's tokenizer has no tokens for the passage or for its last word.");
    }
}
