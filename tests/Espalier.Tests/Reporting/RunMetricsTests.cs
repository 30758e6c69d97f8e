using Espalier.Models;
using Espalier.Reporting;
using Espalier.Training;

namespace Espalier.Tests.Reporting;

public sealed class RunMetricsTests : IDisposable
{
    private const string Row1 = "10,640,3.5,,0.001,0.5,2.25,3,100,1e9,80,10,10,0.5";
    private const string Row2 = "20,1280,3.25,3.75,0.001,0.5,2.5,6,100,1e9,160,20,20,1";

    private readonly string _folder = Directory.CreateTempSubdirectory("metrics-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void ReadsEveryColumn()
    {
        Write(SyntheticRun.Header, Row1, Row2);
        File.WriteAllText(Path.Combine(_folder, "recipe.yaml"), "seed: 1\nname: apollo # the method\nmodel:\n  n_layer: 12\n");
        RunMetrics run = RunMetrics.Load(_folder);
        Assert.Equal("apollo", run.Name);
        Assert.Equal(2, run.Rows.Count);
        Assert.Null(run.Rows[0].ValidLoss);
        Assert.Equal(
            new MetricsRow
            {
                Step = 20,
                Tokens = 1280,
                TrainLoss = 3.25,
                ValidLoss = 3.75,
                LearningRate = 0.001,
                GradientNorm = 0.5,
                ExecutedDepth = 2.5,
                StoredLayers = 6,
                TokensPerSecond = 100,
                FlopsPerSecond = 1e9,
                Flops = new FlopsCount(160, 20, 20),
                Seconds = 1,
            },
            run.Rows[1]);
        Assert.Equal(new Cost(200, 180, 1), run.Cost);
    }

    [Theory]
    [InlineData("")]
    [InlineData("name:\n")]
    [InlineData("- 1\n")]
    [InlineData("seed: 3\n")]
    public void WithoutANameTheFolderNamesTheRun(string recipe)
    {
        Write(SyntheticRun.Header, Row1);
        File.WriteAllText(Path.Combine(_folder, "recipe.yaml"), recipe);
        Assert.Equal(Path.GetFileName(_folder), RunMetrics.Load(_folder + "/").Name);
    }

    /// <summary>Even where the cut leaves a line that looks whole: its last number may be cut too.</summary>
    [Fact]
    public void ALineThatIsStillBeingWrittenIsLeftOut()
    {
        for (int length = 0; length <= Row2.Length; length++)
        {
            File.WriteAllText(
                Path.Combine(_folder, "metrics.csv"), $"{SyntheticRun.Header}\n{Row1}\n{Row2[..length]}");
            Assert.Equal(10, Assert.Single(RunMetrics.Load(_folder).Rows).Step);
        }
    }

    [Theory]
    [InlineData("line 3: 2 cells under 14 columns", Row1, "20,1280")]
    [InlineData("line 2: 'train_loss' is 'x', not a finite number", "10,640,x,,0.001,0.5,2,3,100,1e9,80,10,10,0.5")]
    [InlineData("line 2: 'train_loss' is 'NaN'", "10,640,NaN,,0.001,0.5,2,3,100,1e9,80,10,10,0.5")]
    [InlineData("line 2: 'step' is '1.5', not a whole number", "1.5,640,3,,0.001,0.5,2,3,100,1e9,80,10,10,0.5")]
    [InlineData("line 2: 'tokens_per_second' is 'x'", "10,640,3,,0.001,0.5,2,3,x,1e9,80,10,10,0.5")]
    [InlineData("line 2: 'step' is empty", ",640,3,,0.001,0.5,2,3,100,1e9,80,10,10,0.5")]
    [InlineData("line 2: 'seconds' is empty", "10,640,3,,0.001,0.5,2,3,100,1e9,80,10,10,")]
    [InlineData("line 3: step 10 follows step 10", Row1, Row1)]
    [InlineData("line 3: cumulative FLOPs or seconds are smaller", Row1, "20,1280,3,,0.001,0.5,2,3,100,1e9,79,10,10,0.5")]
    public void AFlawNamesFileAndLine(string flaw, params string[] rows)
    {
        Write([SyntheticRun.Header, .. rows]);
        var error = Assert.Throws<UserErrorException>(() => RunMetrics.Load(_folder));
        Assert.Contains(Path.Combine(_folder, "metrics.csv"), error.Message, StringComparison.Ordinal);
        Assert.Contains(flaw, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void MissingFilesColumnsAndRowsAreUserErrors()
    {
        AssertError("holds no metrics.csv");
        Write();
        AssertError("has no rows yet");
        Write(SyntheticRun.Header);
        AssertError("has no rows yet");
        Write("step,train_loss", "1,2");
        AssertError("no column 'valid_loss'");
        Write(SyntheticRun.Header + ",step", Row1 + ",10");
        AssertError("'step' is there twice");
        Write(SyntheticRun.Header, Row1);
        File.WriteAllText(Path.Combine(_folder, "recipe.yaml"), "name: a\nmodel: [1\n");
        AssertError("recipe.yaml', line ");

        void AssertError(string part) => Assert.Contains(
            part, Assert.Throws<UserErrorException>(() => RunMetrics.Load(_folder)).Message, StringComparison.Ordinal);
    }

    private void Write(params string[] lines) =>
        File.WriteAllText(Path.Combine(_folder, "metrics.csv"), string.Concat(lines.Select(line => line + "\n")));
}
