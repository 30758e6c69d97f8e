using Espalier.Distributed;

namespace Espalier.Tests.Distributed;

public class LaunchedRankTests
{
    [Fact]
    public void TorchrunNamesAllItself() => Assert.Equal(
        new LaunchedRank(3, 4, 1, "10.0.0.7", 29500) { FirstServes = false, Attempt = "2" },
        Of("RANK=3 WORLD_SIZE=4 LOCAL_RANK=1 MASTER_ADDR=10.0.0.7 MASTER_PORT=29500 TORCHELASTIC_USE_AGENT_STORE=True TORCHELASTIC_RESTART_COUNT=2"));

    [Fact]
    public void OpenMpiOnOneHostNeedsNoAddress()
    {
        LaunchedRank a = Of("OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_LOCAL_RANK=1 OMPI_COMM_WORLD_LOCAL_SIZE=2 PMIX_NAMESPACE=77.1")!;
        LaunchedRank b = Of("OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_LOCAL_RANK=0 OMPI_COMM_WORLD_LOCAL_SIZE=2 PMIX_NAMESPACE=77.1")!;
        LaunchedRank other = Of("OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_LOCAL_RANK=0 OMPI_COMM_WORLD_LOCAL_SIZE=2 PMIX_NAMESPACE=78.1")!;
        Assert.Equal((1, 2, 1, "127.0.0.1", true), (a.Rank, a.Size, a.LocalRank, a.Host, a.FirstServes));
        Assert.Equal(a.Port, b.Port);
        Assert.NotEqual(a.Port, other.Port);
    }

    [Fact]
    public void OpenMpiOnSeveralHostsIsAskedForOne()
    {
        const string Two = "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_LOCAL_RANK=0 OMPI_COMM_WORLD_LOCAL_SIZE=1";
        Assert.Contains("-x MASTER_ADDR=HOST", Assert.Throws<UserErrorException>(() => Of(Two)).Hint, StringComparison.Ordinal);
        Assert.Equal(("node1", 4000), Place(Of(Two + " MASTER_ADDR=node1 MASTER_PORT=4000")!));
    }

    [Fact]
    public void SlurmsRanksMeetAtTheFirstHostOfTheJob()
    {
        LaunchedRank rank = Of("SLURM_PROCID=5 SLURM_STEP_NUM_TASKS=8 SLURM_LOCALID=1 SLURM_JOB_NODELIST=node[007-008,11],gpu3 SLURM_JOB_ID=4711")!;
        Assert.Equal((5, 8, 1, "node007"), (rank.Rank, rank.Size, rank.LocalRank, rank.Host));
        Assert.InRange(rank.Port, 20_000, 29_999);

        // A step may be smaller than its job.
        Assert.Null(Of("SLURM_NTASKS=8 SLURM_STEP_NUM_TASKS=1 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_JOB_NODELIST=a"));
    }

    [Theory]
    [InlineData("a", "a")]
    [InlineData("node12.cluster.org,b", "node12.cluster.org")]
    [InlineData("node[03-06,9],gpu1", "node03")]
    [InlineData("rack[2-3]n[01,05-09]", "rack2n01")]
    [InlineData("gpu[9]-ib", "gpu9-ib")]
    public void TheFirstHostIsReadOutOfSlurmsList(string hosts, string first) => Assert.Equal(first, LaunchedRank.FirstHost(hosts));

    [Theory]
    [InlineData("")]
    [InlineData("WORLD_SIZE=1 RANK=0")]
    [InlineData("OMPI_COMM_WORLD_SIZE=1")]
    [InlineData("SLURM_STEP_NUM_TASKS=1 SLURM_NTASKS=8 SLURM_PROCID=0")]
    [InlineData("SLURM_NTASKS=8 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_JOB_NODELIST=a SLURM_JOB_ID=3")]
    [InlineData("WORLD_SIZE=several")]
    public void OneProcessIsNoRank(string environment) => Assert.Null(Of(environment));

    [Theory]
    [InlineData("SLURM_NTASKS=8 SLURM_PROCID=0 SLURM_JOB_NODELIST=a", "this Slurm job has 8 tasks")]
    [InlineData("SLURM_NTASKS=8 SLURM_STEP_NUM_TASKS=1 SLURM_PROCID=0", null)]
    [InlineData("SLURM_NTASKS=8 WORLD_SIZE=2 RANK=0 MASTER_ADDR=a MASTER_PORT=4000", null)]
    [InlineData("SLURM_NTASKS=1", null)]
    [InlineData("", null)]
    public void AForgottenSrunIsPointedAt(string environment, string? doubt)
    {
        string? said = LaunchedRank.DoubtOf(VariablesOf(environment));
        Assert.True(doubt is null ? said is null : said!.StartsWith(doubt, StringComparison.Ordinal), said);
    }

    [Theory]
    [InlineData("WORLD_SIZE=2", "WORLD_SIZE is 2", "`WORLD_SIZE=1 espalier ...`")]
    [InlineData("SLURM_STEP_NUM_TASKS=8", "there is no SLURM_PROCID", "`SLURM_STEP_NUM_TASKS=1 espalier ...`")]
    [InlineData("OMPI_COMM_WORLD_SIZE=16", "there is no OMPI_COMM_WORLD_RANK", "`OMPI_COMM_WORLD_SIZE=1 espalier ...`")]
    [InlineData("WORLD_SIZE=2 RANK=0 LOCAL_RANK=0 MASTER_PORT=1", "there is no MASTER_ADDR", "torchrun")]
    [InlineData("WORLD_SIZE=2 RANK=2 LOCAL_RANK=0", "RANK is '2'", "from 0 to 1")]
    [InlineData("WORLD_SIZE=2 RANK=0 LOCAL_RANK=0 MASTER_ADDR=a MASTER_PORT=70000", "MASTER_PORT is '70000'", "65535")]
    public void WhatIsMissingOrWrongIsNamed(string environment, string message, string hint)
    {
        var error = Assert.Throws<UserErrorException>(() => Of(environment));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Contains(hint, error.Hint, StringComparison.Ordinal);
    }

    private static LaunchedRank? Of(string environment) => LaunchedRank.From(VariablesOf(environment));

    private static Func<string, string?> VariablesOf(string environment) => environment
        .Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(pair => pair.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]).GetValueOrDefault;

    private static (string Host, int Port) Place(LaunchedRank rank) => (rank.Host, rank.Port);
}
