using Espalier.Cli;

namespace Espalier.Tests.Cli;

public class SingleProcessTests
{
    [Theory]
    [InlineData("WORLD_SIZE", "2", "torchrun")]
    [InlineData("OMPI_COMM_WORLD_SIZE", "16", "mpirun -n 1")]
    [InlineData("SLURM_STEP_NUM_TASKS", " 8 ", "srun -n 1")]
    public void OneOfSeveralProcessesIsRefused(string variable, string value, string instead)
    {
        var error = Assert.Throws<UserErrorException>(() => SingleProcess.Require(name => name == variable ? value : null));
        Assert.Contains($"{variable} is {value.Trim()}:", error.Message, StringComparison.Ordinal);
        Assert.Contains(instead, error.Hint, StringComparison.Ordinal);
        Assert.Contains($"`{variable}=1 espalier ...`", error.Hint, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("1")]
    [InlineData("0")]
    [InlineData("-2")]
    [InlineData("several")]
    [InlineData("2(x4)")]
    public void OneProcessIsNotNorIsWhatIsNoNumber(string? value) =>
        Assert.Null(Record.Exception(() => SingleProcess.Require(_ => value)));
}
