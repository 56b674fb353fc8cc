<?php

$_SERVER['REQUEST_URI'] = '/islands/Mull?on=monday';
ob_start();
require __DIR__ . '/../public/index.php';
$page = ob_get_clean();

if ($page !== "The next ferry to Mull leaves at 8\n") {
    fwrite(STDERR, "the page is $page");
    exit(1);
}
