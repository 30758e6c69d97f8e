using Espalier.Data;
using Espalier.Evaluation;
using Espalier.Models;
using Espalier.Tests.Data;
using Espalier.Torch;

namespace Espalier.Tests.Evaluation;

public sealed class LambadaTests : IDisposable
{
    private static readonly Gpt2Config Config = Sample.Model(2) with { VocabularySize = ByteLevelBpe.RawBytes.VocabularySize };

    private readonly TemporaryFolder _folder = new();
    private readonly Model _model = Model.Of(Config, new ParameterSet(Sample.Parameters(Config).Select(FondOfWords)));

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    /// <summary>Whatever the batches: the probability of each passage's word, computed one passage and one token at a time.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(1000)]
    public void EachWordIsPredictedFromAllBeforeIt(int batchTokens)
    {
        string[] passages = ["a b", "the end", "one two a", "this is longer than the context", "x y zz"];
        string path = _folder.Write("passages.txt", string.Join("\n", passages) + " \n\n");
        LambadaResult result = Measure(path, batchTokens);

        double loss = passages.Sum(passage => -LogProbability(passage));
        Assert.Equal(5, result.Passages);
        Assert.Equal(1, result.Cut);
        Assert.Equal(loss / 5, result.Loss, 4);
        Assert.Equal(Math.Exp(loss / 5), result.Perplexity, 1e-3 * Math.Exp(loss / 5));
        Assert.Equal(2 + 4 + 2 + 8 + 3, result.Tokens);
    }

    [Fact]
    public void WhatTheModelWritesItselfIsRight()
    {
        // Beginnings after which the model writes a space and then a letter, and that letter for the last word.
        string[] letters = [.. Enumerable.Range('a', 26).Select(c => ((char)c).ToString())];
        string[] right =
        [
            .. letters.SelectMany(a => letters.Select(b => a + b)).Where(prompt => Best(prompt) == ' ')
                .Select(prompt => prompt + " " + Best(prompt + " ")).Where(passage => char.IsAsciiLetterOrDigit(passage[^1])),
        ];
        Assert.NotEmpty(right);
        string[] wrong = [.. right.Select(passage => passage[..^1] + "~"), "ab ~"];
        Assert.Equal(1, Measure(Write("right.jsonl", right), 1000).Accuracy);
        Assert.Equal(0, Measure(Write("wrong.jsonl", wrong), 1000).Accuracy);
        Assert.Equal(
            right.Length / (right.Length + (double)wrong.Length), Measure(Write("both.jsonl", [.. right, .. wrong]), 7).Accuracy, 12);

        string Write(string name, string[] passages) =>
            _folder.Write(name, string.Concat(passages.Select(passage => $"{{\"text\": \"{passage}\"}}\n")));
    }

    [Fact]
    public void AWordWithoutAPassageIsNamed() => Assert.Contains(
        "one.txt:2: the passage is a single word",
        Assert.Throws<UserErrorException>(
            () => Lambada.Open(_folder.Write("one.txt", "two words\nword\n"), ByteLevelBpe.RawBytes)).Message,
        StringComparison.Ordinal);

    private LambadaResult Measure(string path, int batchTokens) => Lambada.Open(path, ByteLevelBpe.RawBytes).Measure(
        _model, ForwardPlan.Plain(2), batchTokens, Compute.Cpu);

    private double LogProbability(string passage)
    {
        double sum = 0;
        for (int end = passage.LastIndexOf(' '); end < passage.Length; end++)
        {
            // The context of the whole passage's window, which is cut at the left.
            int start = Math.Max(0, passage.Length - 1 - Config.ContextLength);
            sum += Next(passage[start..end])[ByteLevelBpe.RawBytes.Encode(passage)[end]];
        }

        return sum;
    }

    /// <summary>A model that hardly ever writes anything but letters and spaces.</summary>
    private static Parameter FondOfWords(Parameter parameter)
    {
        if (parameter.Name != "transformer.wte.weight")
        {
            return parameter;
        }

        float[] rows = parameter.Value.Detach().ToArray<float>();
        for (int i = 0; i < rows.Length; i++)
        {
            byte[] token = ByteLevelBpe.RawBytes.DecodeToBytes([i / Config.HiddenSize]);
            rows[i] *= token is [(byte)' '] or [>= (byte)'a' and <= (byte)'z'] ? 3 : 0.1f;
        }

        return parameter with { Value = ParameterSet.Trainable(Tensor.From<float>(rows, parameter.Value.Shape)) };
    }

    private char Best(string context)
    {
        double[] scores = Next(context);
        return (char)ByteLevelBpe.RawBytes.DecodeToBytes([Array.IndexOf(scores, scores.Max())]).FirstOrDefault();
    }

    private double[] Next(string context)
    {
        using var noGrad = new NoGrad();
        long[] ids = [.. ByteLevelBpe.RawBytes.Encode(context).Select(id => (long)id)];
        Tensor scores = ForwardPass.Logits(_model, Tensor.From<long>(ids, [1, ids.Length]), ForwardPlan.Plain(2)).LogSoftmax();
        return Near.Values(scores.Narrow(1, ids.Length - 1, 1));
    }
}
