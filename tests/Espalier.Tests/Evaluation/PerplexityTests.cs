using Espalier.Data;
using Espalier.Evaluation;
using Espalier.Models;
using Espalier.Tests.Data;
using Espalier.Torch;

namespace Espalier.Tests.Evaluation;

/// <summary>Losses of texts against their sums by hand.</summary>
public sealed class PerplexityTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void MeasuresFollowFromTheLoss()
    {
        // 6 tokens of 2 bits each: 12 bits over 3 bytes and 2 words.
        var result = new Perplexity(Loss: 2 * Math.Log(2), Tokens: 6, Bytes: 3, Words: 2);
        Assert.Equal(4, result.PerToken, 12);
        Assert.Equal(4, result.BitsPerByte, 12);
        Assert.Equal(4 * Math.Log(2), result.LossPerByte, 12);
        Assert.Equal(64, result.PerWord, 9);
    }

    [Fact]
    public void TextIsEncodedAsTrainingDoes()
    {
        _folder.Write("a.txt", "zwei  Wörter");
        _folder.Write("b.txt", "x");
        using EvaluationText text = EvaluationText.Open(_folder.Path, ByteLevelBpe.RawBytes);
        int end = ByteLevelBpe.RawBytes.EndOfText!.Value;
        var tokens = new long[text.Tokens.Count];
        text.Tokens.CopyTo(0, tokens);
        Assert.Equal(
            [end, .. ByteLevelBpe.RawBytes.Encode("zwei  Wörter"), end, .. ByteLevelBpe.RawBytes.Encode("x")],
            tokens.Select(token => (int)token));
        Assert.Equal(new DatasetPart(Documents: 2, Tokens: 16, Bytes: 14, Words: 3), text.Size);
    }

    [Fact]
    public void ADatasetOfAnotherTokenizerIsRefused()
    {
        string corpus = _folder.Write("text/a.txt", string.Concat(Enumerable.Repeat("one two three four\n", 50)));
        Dataset dataset = CorpusPreparer.Prepare(
            Corpus.Open([corpus]), _folder.File("data"), new PreparationOptions { Training = new VocabularyTraining(270) });
        using (EvaluationText text = EvaluationText.Open(dataset.Folder, dataset.LoadTokenizer()))
        {
            Assert.Equal(dataset.Valid, text.Size);
            Assert.Equal(dataset.Valid.Tokens, text.Tokens.Count);
        }

        Assert.Contains(
            "another tokenizer",
            Assert.Throws<UserErrorException>(() => EvaluationText.Open(dataset.Folder, ByteLevelBpe.RawBytes)).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(12)]
    [InlineData(5)]
    [InlineData(1)]
    public void TheLossIsTheMeanOverAllTokensWithTheContextThatTheStrideGives(int stride)
    {
        using Model model = Sample.ModelOf(Sample.Model(2) with { VocabularySize = ByteLevelBpe.RawBytes.VocabularySize });
        string path = _folder.Write("a.txt", "To be, or not to be, that is the question");
        using EvaluationText text = EvaluationText.Open(path, ByteLevelBpe.RawBytes);
        LossResult result = new HeldOutLoss(new NextToken(), text.Tokens, 3, null, Compute.Cpu, stride)
            .Measure(model, ForwardPlan.Plain(2));

        var tokens = new long[text.Tokens.Count];
        text.Tokens.CopyTo(0, tokens);
        double sum = 0;
        for (int target = 1; target < tokens.Length; target++)
        {
            // The first window that reaches the target's input begins at a multiple of the stride.
            int begin = Math.Max(0, (target - model.Config.ContextLength + stride - 1) / stride * stride);
            long[] context = tokens[begin..target];
            using var noGrad = new NoGrad();
            double[] logProbabilities = Near.Values(ForwardPass
                .Logits(model, Tensor.From<long>(context, [1, context.Length]), ForwardPlan.Plain(2))
                .Narrow(1, context.Length - 1, 1).LogSoftmax());
            sum -= logProbabilities[tokens[target]];
        }

        Assert.Equal(tokens.Length - 1, result.Tokens);
        Assert.Equal(sum / (tokens.Length - 1), result.Loss, 5);
    }
}
